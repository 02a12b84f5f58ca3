/* The scanner behind json_parse(): grammar, limits and positions. Nobody else includes this. */
#ifndef SCENARIOS_JSON_SCAN_H
#define SCENARIOS_JSON_SCAN_H

#include "scenarios/json.h"

/* Fills document->nodes (but for `item`) and document->keys from document->text, which is `size`
 * bytes. false: the grammar is broken (or memory short), as the problems say; nodes and keys are
 * to be freed all the same. */
bool json_scan(struct json_document *document, size_t size, struct problems *problems);

#endif
