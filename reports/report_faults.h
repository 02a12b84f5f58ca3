/* Faults in words. */
#ifndef REPORTS_REPORT_FAULTS_H
#define REPORTS_REPORT_FAULTS_H

#include <stddef.h>

#include "models/plan.h"

/* "zone 1 goes dark", "3 Kafka brokers killed". Returns `buffer`. */
const char *fault_words(const struct plan_fault *fault, char *buffer, size_t size);

/* "Cassandra nodes pause, each every 3 h on average, for 5 min". Returns `buffer`. */
const char *fault_random_words(const struct plan_random_fault *fault, char *buffer, size_t size);

#endif
