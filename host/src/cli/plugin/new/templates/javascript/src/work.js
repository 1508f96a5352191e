// It may be called twice for the same job: after a crash the host cannot know whether the first call had an effect.
export function work(host, job, _checkpoint) {
  if (job.action === "delete" || job.action === "logical-delete") {
    host.log("info", "there is nothing to take down");
    return { tag: "completed" };
  }
  let params;
  try {
    params = host.resolveAll();
  } catch (error) {
    // What the contract gives as an error comes as an exception; `payload` is the contract's value.
    if (error?.payload === undefined) throw error;
    return { tag: "failed", val: failure(error.payload) };
  }
  host.report("my_worker", params);
  return { tag: "completed" };
}

// Whether another try can help, in words that end up in the resource's state.
function failure({ name, error }) {
  if (error.tag === "unavailable") {
    return { tag: "retry", val: `cannot resolve param ${name}: ${error.val}` };
  }
  return { tag: "fatal", val: `cannot resolve param ${name}: ${JSON.stringify(error)}` };
}
