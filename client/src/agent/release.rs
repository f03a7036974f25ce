//! `keyward-agent release`: a topic is not protected any more, because the device's operator says so.

use super::{
    args::Release,
    exit::{self, Failed},
    output::{Line, Output},
    start::Device,
};
use crate::session::{Action, Input, Notice};

/// Runs the command.
pub fn run(arguments: &Release, device: Device, output: Output) -> Result<(), Failed> {
    let input = Input::Release(arguments.topic.clone());
    let effects = device.offline(|session, clock| session.handle(clock.now(), input))?;
    let released = Action::Notice(Notice::Released(arguments.topic.clone()));
    match effects.actions.contains(&released) {
        true => Ok(output.print(&Line::Released {
            topic: arguments.topic.to_string(),
        })?),
        false => Err(Failed::new(
            exit::FAILED,
            format!(
                "{} is not released: it is not protected under this name, or a group of this device has it ('status' shows)",
                arguments.topic
            ),
        )),
    }
}
