//! The corpora, replayed and mutated, without a fuzzer.

mod corpus;
mod mutations;
mod programs;
