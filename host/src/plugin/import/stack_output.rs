//! `stack-output`: what a handler has put up, for others to refer to.

use super::Guest;
use crate::plugin::bindings::stack_output::{Host, ResourceRef, Stack};
use crate::plugin::convert;

impl Host for Guest {
    fn publish(&mut self, stack: Stack) -> wasmtime::Result<()> {
        let asked = "stack-output.publish";
        self.account(asked, convert::stack_bytes(&stack))?;
        match convert::stack(stack) {
            Ok(stack) => {
                self.work(asked)?.report.stack = Some(stack);
                Ok(())
            }
            Err(what) => Err(self.break_off(what)),
        }
    }

    async fn find(&mut self, of: ResourceRef) -> wasmtime::Result<Result<Option<Stack>, String>> {
        let stacks = &mut self.work("stack-output.find")?.stacks;
        if let Err(why) = stacks.admit(&of) {
            return Ok(Err(why));
        }
        let found = stacks.ask(convert::resource_ref(of)).await;
        Ok(found.map(|stack| stack.map(|s| convert::found_stack(&s))))
    }
}
