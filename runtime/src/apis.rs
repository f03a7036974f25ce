//! What the node and its clients may ask the runtime.

use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    dispatch::GetDispatchInfo,
    genesis_builder_helper::{build_state, get_preset},
};
use keyward_protocol::{
    view::{
        AuthorityView, ConflictView, CustodyView, DeviceView, GatewayView, GroupView,
        InvitationView, MemberView, PermissionsView,
    },
    AccountId as RawAccount, DeviceId, GroupId,
};
use pallet_grandpa::AuthorityId as GrandpaId;
use pallet_transaction_payment_rpc_runtime_api::{FeeDetails, RuntimeDispatchInfo};
use pallet_validator_set::{runtime_api::Refusal, AuraEquivocation};
use sp_api::impl_runtime_apis;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_core::{
    crypto::{key_types::GRANDPA, ByteArray, KeyTypeId},
    OpaqueMetadata,
};
use sp_runtime::{
    traits::{Block as BlockT, NumberFor},
    transaction_validity::{TransactionSource, TransactionValidity},
    ApplyExtrinsicResult,
};
use sp_session::OpaqueGeneratedSessionKeys;
use sp_version::RuntimeVersion;

use crate::{
    genesis, AccountId, Balance, Block, Executive, Fleet, Grandpa, InherentDataExt, Nonce, Runtime,
    RuntimeCall, RuntimeGenesisConfig, SessionKeys, System, ValidatorSet, SLOT_MS, VERSION,
};

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> sp_runtime::ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
        fn execute_view_function(
            id: frame_support::view_functions::ViewFunctionId,
            input: Vec<u8>,
        ) -> Result<Vec<u8>, frame_support::view_functions::ViewFunctionDispatchError> {
            Runtime::execute_view_function(id, input)
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(header: &<Block as BlockT>::Header) {
            Executive::offchain_worker(header)
        }
    }

    impl sp_consensus_aura::AuraApi<Block, AuraId> for Runtime {
        fn slot_duration() -> sp_consensus_aura::SlotDuration {
            sp_consensus_aura::SlotDuration::from_millis(SLOT_MS)
        }

        fn authorities() -> Vec<AuraId> {
            pallet_aura::Authorities::<Runtime>::get().into_inner()
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            pallet_grandpa::CurrentSetId::<Runtime>::get()
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            proof: sp_consensus_grandpa::EquivocationProof<<Block as BlockT>::Hash, NumberFor<Block>>,
            owner: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            let owner = owner.decode::<pallet_validator_set::KeyOwnerProof>()?;
            Grandpa::submit_unsigned_equivocation_report(proof, owner)
        }

        fn generate_key_ownership_proof(
            set_id: sp_consensus_grandpa::SetId,
            authority: GrandpaId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            let session = Grandpa::session_for_set(set_id)?;
            let owner = ValidatorSet::key_owner_proof(session, GRANDPA, authority.as_slice())?;
            Some(sp_consensus_grandpa::OpaqueKeyOwnershipProof::new(owner.encode()))
        }
    }

    impl pallet_validator_set::runtime_api::ValidatorSetApi<Block, AuraId> for Runtime {
        fn report_aura_equivocation(
            equivocation: AuraEquivocation<<Block as BlockT>::Header, AuraId>,
        ) -> Result<(), Refusal> {
            ValidatorSet::submit_aura_equivocation(equivocation)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(uxt: <Block as BlockT>::Extrinsic, _len: u32) -> RuntimeDispatchInfo<Balance> {
            let info = uxt.get_dispatch_info();
            RuntimeDispatchInfo { weight: info.total_weight(), class: info.class, partial_fee: 0 }
        }

        fn query_fee_details(_uxt: <Block as BlockT>::Extrinsic, _len: u32) -> FeeDetails<Balance> {
            FeeDetails { inclusion_fee: None, tip: 0 }
        }

        fn query_weight_to_fee(_weight: sp_weights::Weight) -> Balance {
            0
        }

        fn query_length_to_fee(_length: u32) -> Balance {
            0
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<Block, Balance, RuntimeCall>
        for Runtime
    {
        fn query_call_info(call: RuntimeCall, _len: u32) -> RuntimeDispatchInfo<Balance> {
            let info = call.get_dispatch_info();
            RuntimeDispatchInfo { weight: info.call_weight, class: info.class, partial_fee: 0 }
        }

        fn query_call_fee_details(_call: RuntimeCall, _len: u32) -> FeeDetails<Balance> {
            FeeDetails { inclusion_fee: None, tip: 0 }
        }

        fn query_weight_to_fee(_weight: sp_weights::Weight) -> Balance {
            0
        }

        fn query_length_to_fee(_length: u32) -> Balance {
            0
        }
    }

    impl pallet_fleet::runtime_api::FleetApi<Block> for Runtime {
        fn changes() -> u64 {
            Fleet::changes()
        }

        fn gateway(account: RawAccount) -> Option<GatewayView> {
            Fleet::gateway(account)
        }

        fn gateways() -> Vec<GatewayView> {
            Fleet::gateways()
        }

        fn authorities() -> Vec<AuthorityView> {
            Fleet::authorities()
        }

        fn device(device: DeviceId) -> Option<DeviceView> {
            Fleet::device(device)
        }

        fn devices_of(owner: RawAccount, after: Option<DeviceId>, limit: u32) -> Vec<DeviceView> {
            Fleet::devices_of(owner, after, limit)
        }

        fn devices(after: Option<DeviceId>, limit: u32) -> Vec<DeviceView> {
            Fleet::devices(after, limit)
        }

        fn group(group: GroupId) -> Option<GroupView> {
            Fleet::group(group)
        }

        fn groups(after: Option<GroupId>, limit: u32) -> Vec<GroupId> {
            Fleet::groups(after, limit)
        }

        fn members(group: GroupId, after: Option<DeviceId>, limit: u32) -> Vec<MemberView> {
            Fleet::members(group, after, limit)
        }

        fn custody(account: RawAccount) -> Vec<CustodyView> {
            Fleet::custody(account)
        }

        fn conflicts(group: GroupId) -> Vec<ConflictView> {
            Fleet::conflicts(group)
        }

        fn invitations(owner: RawAccount) -> Vec<InvitationView> {
            Fleet::invitations(owner)
        }

        fn permissions(account: RawAccount) -> PermissionsView {
            Fleet::permissions(account)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, genesis::get_preset)
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis::preset_names()
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(
            extra: bool,
        ) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
            crate::benchmarks::list(extra)
        }

        fn dispatch_benchmark(
            config: frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            crate::benchmarks::run(config)
        }
    }

    #[cfg(feature = "try-runtime")]
    impl frame_try_runtime::TryRuntime<Block> for Runtime {
        fn on_runtime_upgrade(
            checks: frame_try_runtime::UpgradeCheckSelect,
        ) -> (sp_weights::Weight, sp_weights::Weight) {
            let weight = Executive::try_runtime_upgrade(checks).expect("the upgrade passes its checks");
            (weight, crate::configs::system::Weights::get().max_block)
        }

        fn execute_block(
            block: <Block as BlockT>::LazyBlock,
            state_root_check: bool,
            signature_check: bool,
            select: frame_try_runtime::TryStateSelect,
        ) -> sp_weights::Weight {
            Executive::try_execute_block(block, state_root_check, signature_check, select)
                .expect("the block passes its checks")
        }
    }
}
