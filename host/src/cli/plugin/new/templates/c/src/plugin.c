// A handler for Stokehold: it reports its params back, so that /state shows what a template's mapping yields.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

// Words of the program, lent to the host: they are not freed.
static plugin_string_t words(const char *text) {
  return (plugin_string_t){(uint8_t *)text, strlen(text)};
}

// The host frees what it is given by an export, so all of it comes from malloc.
static plugin_string_t owned(const char *text, plugin_string_t more) {
  size_t len = strlen(text);
  plugin_string_t all = {malloc(len + more.len), len + more.len};
  if (all.ptr == NULL) {
    abort();
  }
  memcpy(all.ptr, text, len);
  if (more.len > 0) {
    memcpy(all.ptr + len, more.ptr, more.len);
  }
  return all;
}

void exports_stokehold_worker_handler_describe(exports_stokehold_worker_handler_description_t *ret) {
  memset(ret, 0, sizeof *ret);
  ret->name = owned("my_worker", words(""));
  ret->update = STOKEHOLD_WORKER_TYPES_UPDATE_STYLE_MODIFY;
  // In every workflow it comes after these.
  ret->after.ptr = malloc(sizeof *ret->after.ptr);
  if (ret->after.ptr == NULL) {
    abort();
  }
  ret->after.ptr[0] = owned("heat_worker", words(""));
  ret->after.len = 1;
}

// Whether another try can help, in words that end up in the resource's state.
static void fail(const stokehold_worker_params_named_error_t *named,
                 exports_stokehold_worker_handler_verdict_t *ret) {
  ret->tag = STOKEHOLD_WORKER_TYPES_VERDICT_FAILED;
  plugin_string_t text = owned("cannot resolve param ", named->name);
  if (named->error.tag == STOKEHOLD_WORKER_PARAMS_PARAM_ERROR_UNAVAILABLE) {
    ret->val.failed.tag = STOKEHOLD_WORKER_TYPES_FAILURE_RETRY;
    ret->val.failed.val.retry = text;
  } else {
    ret->val.failed.tag = STOKEHOLD_WORKER_TYPES_FAILURE_FATAL;
    ret->val.failed.val.fatal = text;
  }
}

// It may be called twice for the same job: after a crash the host cannot know whether the first call had an effect.
// The instance is gone after the call, and with it all memory: nothing has to be freed.
void exports_stokehold_worker_handler_handle(exports_stokehold_worker_handler_job_t *job,
                                             exports_stokehold_worker_handler_json_t *maybe_checkpoint,
                                             exports_stokehold_worker_handler_verdict_t *ret) {
  (void)maybe_checkpoint;
  ret->tag = STOKEHOLD_WORKER_TYPES_VERDICT_COMPLETED;
  if (job->action == STOKEHOLD_WORKER_TYPES_ACTION_DELETE ||
      job->action == STOKEHOLD_WORKER_TYPES_ACTION_LOGICAL_DELETE) {
    plugin_string_t line = words("there is nothing to take down");
    stokehold_worker_log_write(STOKEHOLD_WORKER_LOG_LEVEL_INFO, &line);
    return;
  }
  stokehold_worker_params_json_t params;
  stokehold_worker_params_named_error_t error;
  if (!stokehold_worker_params_resolve_all(&params, &error)) {
    fail(&error, ret);
    return;
  }
  plugin_string_t field = words("my_worker");
  stokehold_worker_state_report(&field, &params);
}
