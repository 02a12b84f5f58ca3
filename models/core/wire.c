#include "models/core/wire.h"

#include "models/core/chat.h"

/* {"type":"ack","id":"…","status":"sent","msgId":"…"} with ids of 19 digits, and so on. */
uint32_t wire_frame_bytes(uint8_t kind, uint32_t record_bytes)
{
    switch ((enum chat_frame_kind)kind) {
    case FRAME_MSG:
        return record_bytes;
    case FRAME_ACK:
        return 76;
    case FRAME_DELIVERED:
        return 50;
    case FRAME_READ:
        return 45;
    case FRAME_RECEIPT:
        return 92;
    case FRAME_ERROR:
        return 120;
    case FRAME_HISTORY:
        return 110;
    case FRAME_END:
        return 48;
    case FRAME_JOIN:
    case FRAME_LEAVE:
        return 96;
    case FRAME_PING:
    case FRAME_PONG:
        return 16;
    }
    return 0;
}
