// The handler on this machine: what the host would lend are the stand-ins below.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

// What the stand-ins do, and what they saw.
static bool resolves;
static uint8_t error_tag;
static int resolved, reports;
static plugin_string_t reported_field, reported_value;

static plugin_string_t text(const char *words) {
  return (plugin_string_t){(uint8_t *)words, strlen(words)};
}

static bool same(plugin_string_t a, const char *b) {
  return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

bool stokehold_worker_params_resolve_all(stokehold_worker_params_json_t *ret,
                                         stokehold_worker_params_named_error_t *err) {
  resolved++;
  if (resolves) {
    *ret = text("{\"name\":\"one\"}");
  } else {
    err->name = text("name");
    err->error.tag = error_tag;
  }
  return resolves;
}

void stokehold_worker_state_report(plugin_string_t *field, stokehold_worker_state_json_t *value) {
  reports++;
  reported_field = *field;
  reported_value = *value;
}

void stokehold_worker_log_write(stokehold_worker_log_level_t level, plugin_string_t *message) {
  (void)level;
  (void)message;
}

static exports_stokehold_worker_handler_verdict_t handle(uint8_t action) {
  exports_stokehold_worker_handler_job_t job = {.action = action};
  exports_stokehold_worker_handler_verdict_t verdict;
  resolved = reports = 0;
  exports_stokehold_worker_handler_handle(&job, NULL, &verdict);
  return verdict;
}

static int failures;

static void check(bool holds, const char *law) {
  printf("%s  %s\n", holds ? "ok    " : "FAILED", law);
  failures += !holds;
}

int main(void) {
  exports_stokehold_worker_handler_verdict_t verdict;

  resolves = true;
  for (uint8_t action = STOKEHOLD_WORKER_TYPES_ACTION_CREATE; action <= STOKEHOLD_WORKER_TYPES_ACTION_MODIFY; action++) {
    verdict = handle(action);
    check(verdict.tag == STOKEHOLD_WORKER_TYPES_VERDICT_COMPLETED && reports == 1 &&
              same(reported_field, "my_worker") && same(reported_value, "{\"name\":\"one\"}"),
          "what is put up is reported");
  }

  for (uint8_t action = STOKEHOLD_WORKER_TYPES_ACTION_DELETE; action <= STOKEHOLD_WORKER_TYPES_ACTION_LOGICAL_DELETE; action++) {
    verdict = handle(action);
    check(verdict.tag == STOKEHOLD_WORKER_TYPES_VERDICT_COMPLETED && resolved == 0 && reports == 0,
          "what is taken down asks for nothing");
  }

  resolves = false;
  error_tag = STOKEHOLD_WORKER_PARAMS_PARAM_ERROR_UNAVAILABLE;
  verdict = handle(STOKEHOLD_WORKER_TYPES_ACTION_CREATE);
  check(verdict.tag == STOKEHOLD_WORKER_TYPES_VERDICT_FAILED &&
            verdict.val.failed.tag == STOKEHOLD_WORKER_TYPES_FAILURE_RETRY &&
            same(verdict.val.failed.val.retry, "cannot resolve param name"),
        "trouble of the moment is worth another try");
  error_tag = STOKEHOLD_WORKER_PARAMS_PARAM_ERROR_UNKNOWN;
  verdict = handle(STOKEHOLD_WORKER_TYPES_ACTION_CREATE);
  check(verdict.tag == STOKEHOLD_WORKER_TYPES_VERDICT_FAILED &&
            verdict.val.failed.tag == STOKEHOLD_WORKER_TYPES_FAILURE_FATAL && reports == 0,
        "what is missing is final");

  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
