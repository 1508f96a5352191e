// A handler for Stokehold: it reports its params back, so that /state shows what a template's mapping yields.
//
// This file joins what the host lends to the work itself, which tests call without a host.

import { write } from "stokehold:worker/log@0.1.0";
import { resolveAll } from "stokehold:worker/params@0.1.0";
import { report } from "stokehold:worker/state@0.1.0";

import { work } from "./work.js";

export const handler = {
  describe() {
    return {
      name: "my_worker",
      // In every workflow it comes after these.
      after: ["heat_worker"],
      update: "modify",
      limits: [],
      grants: [],
    };
  },

  handle(job, checkpoint) {
    return work({ log: write, report, resolveAll }, job, checkpoint);
  },
};
