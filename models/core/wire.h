/* How many bytes a frame is on the wire, as the protocol's JSON writes it: for hosts that encode
 * nothing. WebSocket, TLS and TCP around it are the host's to add. */
#ifndef MODELS_CORE_WIRE_H
#define MODELS_CORE_WIRE_H

#include <stdint.h>

/* `kind` is an enum chat_frame_kind. `record_bytes`: of a message as it is stored, ids and envelope
 * included (FRAME_MSG only). */
uint32_t wire_frame_bytes(uint8_t kind, uint32_t record_bytes);

#endif
