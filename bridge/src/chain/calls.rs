//! The relay's commands as calls of the chain.

use keyward_chain_client::{Call, KeyAuthorisation, ReceiptItem};

use crate::relay::transactions::Command;

pub(super) fn call(command: Command) -> Call {
    match command {
        Command::Stage {
            group,
            epoch,
            commitment,
        } => Call::stage_epoch(&group, epoch, commitment),
        Command::Withdraw { group, epoch } => Call::withdraw_staged(&group, epoch),
        Command::Rotate { group } => Call::rotate(&group),
        Command::Deliver {
            group,
            epoch,
            recipients,
            grants_root,
        } => Call::record_delivery(&group, epoch, recipients, grants_root),
        Command::Acknowledge { group, receipts } => {
            let item = |(key, signature): (crate::relay::journal::ReceiptKey, _)| ReceiptItem {
                device: key.device,
                epoch: key.epoch,
                commitment: key.commitment,
                signature,
            };
            let receipts: Vec<_> = receipts.into_iter().map(item).collect();
            Call::acknowledge(&group, &receipts)
        }
        Command::Register {
            voucher,
            voucher_signature,
            proof,
        } => Call::register_device(&voucher, voucher_signature, proof),
        Command::ReplaceByVoucher {
            voucher,
            voucher_signature,
            proof,
        } => Call::replace_device_keys(&KeyAuthorisation::Voucher {
            voucher,
            voucher_signature,
            proof,
        }),
        Command::Replace {
            replacement,
            new_signature,
            current_signature,
        } => Call::replace_device_keys(&KeyAuthorisation::Current {
            replacement,
            new_signature,
            current_signature,
        }),
    }
}
