#include "base/counters.h"

#include <array>

namespace sagitta {
namespace {

using C = LayerCounters;

constexpr std::array kCounters = {
    Counter{"time", "cycles", "cycles", "clock cycles", &C::cycles},
    Counter{"time", "feed_cycles", "cycles", "busy: operands are issued to the array",
            &C::feed_cycles},
    Counter{"time", "pool_cycles", "cycles", "busy: operands are issued to the pooling path",
            &C::pool_cycles},
    Counter{"time", "dram_stall_cycles", "cycles",
            "stalled: the sequencer waits for data that DMA has not delivered",
            &C::dram_stall_cycles},
    Counter{"time", "bank_stall_cycles", "cycles",
            "stalled: activations wait for their banks, and nothing else takes as long",
            &C::bank_stall_cycles},
    Counter{"time", "control_cycles", "cycles",
            "idle: a descriptor is loaded, or a wait finds its data in place", &C::control_cycles},
    Counter{"time", "setup_cycles", "cycles",
            "idle: rows (is: lanes) take their output pixels, lanes their parameters",
            &C::setup_cycles},
    Counter{"time", "preload_cycles", "cycles",
            "idle: the stationary operand moves into the array, lanes take parameters",
            &C::preload_cycles},
    Counter{"time", "fill_cycles", "cycles",
            "idle: the last operands of a tile cross the array before it drains", &C::fill_cycles},
    Counter{"time", "drain_cycles", "cycles",
            "idle: a finished tile leaves the array, a row a cycle", &C::drain_cycles},
    Counter{"time", "verify_cycles", "cycles",
            "idle: a tile waits until the detector has judged its last row, and its rows have left",
            &C::verify_cycles},
    Counter{"time", "settle_cycles", "cycles",
            "idle: the last operands of a fold pass before the next one is preloaded",
            &C::settle_cycles},
    Counter{"time", "flush_cycles", "cycles",
            "idle: the last results of a tile pass the vector unit into memory", &C::flush_cycles},
    Counter{"time", "store_cycles", "cycles", "idle: the result goes to the host",
            &C::store_cycles},
    Counter{"work", "macs", "MACs", "multiply-accumulates of valid operands", &C::macs},
    Counter{"work", "activation_reads", "elements",
            "read from the activation scratchpad, padding included", &C::activation_reads},
    Counter{"work", "activation_words", "words",
            "read from its banks; 0 where every reader has a port of its own",
            &C::activation_words},
    Counter{"work", "activation_writes", "elements", "results written to the activation scratchpad",
            &C::activation_writes},
    Counter{"work", "weight_row_reads", "rows",
            "rows of `columns` weights read from the weight scratchpad", &C::weight_row_reads},
    Counter{"work", "partial_reads", "elements",
            "sums of earlier folds read from the partial-sum memory", &C::partial_reads},
    Counter{"work", "partial_writes", "elements",
            "sums that the partial-sum memory keeps for a later fold", &C::partial_writes},
    Counter{"work", "accumulator_writes", "elements", "raw sums written to the accumulator buffer",
            &C::accumulator_writes},
    Counter{"work", "vectors", "rows", "rows of finished sums that enter the vector unit",
            &C::vectors},
    Counter{"work", "pool_taps", "taps", "window elements pooled, `columns` channels each",
            &C::pool_taps},
    Counter{"work", "store_beats", "beats", "rows of `columns` results handed to the host",
            &C::store_beats},
    Counter{"dma", "dma_burst_cycles", "cycles", "DMA: DRAM delivers a beat", &C::dma_burst_cycles},
    Counter{"dma", "dma_latency_cycles", "cycles",
            "DMA: from the decision to fetch until the first beat is due", &C::dma_latency_cycles},
    Counter{"dma", "dma_blocked_cycles", "cycles",
            "DMA: the next transfer waits until its bank is free", &C::dma_blocked_cycles},
    Counter{"dma", "dma_idle_cycles", "cycles", "DMA: no transfer is left", &C::dma_idle_cycles},
    Counter{"dma", "dram_read_bytes", "bytes", "read from DRAM", &C::dram_read_bytes},
    Counter{"dma", "dma_bytes", "bytes", "sent by DMA to the scratchpads", &C::dma_bytes},
    Counter{"dma", "activation_dma_bytes", "bytes", "of these, taken by the activation scratchpad",
            &C::activation_dma_bytes},
    Counter{"dma", "weight_dma_bytes", "bytes",
            "of these, taken by the weight scratchpad, its parameters and bounds a neuron",
            &C::weight_dma_bytes},
    Counter{"checks", "mismatches", "rows",
            "rows whose checksum failed, or in which two arrays differed", &C::mismatches},
    Counter{"checks", "output_mismatches", "rows",
            "rows of outputs that failed their check before a checker", &C::output_mismatches},
    Counter{"checks", "suppressed", "values", "values that a checker replaced", &C::suppressed},
    Counter{"checks", "recomputed_tiles", "tiles", "tiles that ran again after a row was flagged",
            &C::recomputed_tiles},
    Counter{"checks", "recompute_cycles", "cycles",
            "spent on runs of tiles that were judged wrong and run again", &C::recompute_cycles},
    Counter{"checks", "corrected_reads", "words",
            "words with a wrong bit that the memories' code corrected as they were read",
            &C::corrected_reads},
    Counter{"checks", "corrected_sums", "sums",
            "sums that were corrected where a flagged row and a flagged column cross",
            &C::corrected_sums},
};
static_assert(sizeof(LayerCounters) == kCounters.size() * sizeof(std::int64_t),
              "every count has its entry");

double ratio(std::int64_t a, double b) {
  return b > 0 ? static_cast<double>(a) / b : 0;
}

constexpr std::array kDerived = {
    DerivedCounter{"busy_cycles", "cycles", "feed_cycles + pool_cycles",
                   "the array or the pooling path gets operands",
                   [](const C& c, double) { return static_cast<double>(c.busy_cycles()); }},
    DerivedCounter{"stall_cycles", "cycles", "dram_stall_cycles + bank_stall_cycles",
                   "lost to memories that deliver too late",
                   [](const C& c, double) { return static_cast<double>(c.stall_cycles()); }},
    DerivedCounter{"idle_cycles", "cycles",
                   "control_cycles + setup_cycles + preload_cycles + fill_cycles + drain_cycles + "
                   "verify_cycles + settle_cycles + flush_cycles + store_cycles",
                   "neither gets operands, and nothing is waited for",
                   [](const C& c, double) { return static_cast<double>(c.idle_cycles()); }},
    DerivedCounter{
        "busy_fraction", "fraction", "busy_cycles / cycles",
        "share of the cycles in which operands are issued",
        [](const C& c, double) { return ratio(c.busy_cycles(), static_cast<double>(c.cycles)); }},
    DerivedCounter{
        "stall_fraction", "fraction", "stall_cycles / cycles",
        "share of the cycles lost to memories that deliver too late",
        [](const C& c, double) { return ratio(c.stall_cycles(), static_cast<double>(c.cycles)); }},
    DerivedCounter{"bank_stall_fraction", "fraction", "bank_stall_cycles / cycles",
                   "share of the cycles lost to banks of activations",
                   [](const C& c, double) {
                     return ratio(c.bank_stall_cycles, static_cast<double>(c.cycles));
                   }},
    DerivedCounter{
        "utilization", "fraction", "macs / (cycles * pes)",
        "share of the multipliers' cycles that do useful work",
        [](const C& c, double pes) { return ratio(c.macs, static_cast<double>(c.cycles) * pes); }},
    DerivedCounter{"feed_utilization", "fraction", "macs / (feed_cycles * pes)",
                   "the same while operands are issued: what edge tiles leave unused",
                   [](const C& c, double pes) {
                     return ratio(c.macs, static_cast<double>(c.feed_cycles) * pes);
                   }},
    DerivedCounter{
        "dram_bytes_per_cycle", "bytes/cycle", "dram_read_bytes / cycles", "DRAM bandwidth used",
        [](const C& c, double) { return ratio(c.dram_read_bytes, static_cast<double>(c.cycles)); }},
    DerivedCounter{
        "macs_per_dram_byte", "MACs/byte", "macs / dram_read_bytes", "arithmetic intensity",
        [](const C& c, double) { return ratio(c.macs, static_cast<double>(c.dram_read_bytes)); }},
};

}  // namespace

LayerCounters& LayerCounters::operator+=(const LayerCounters& other) {
  for (const Counter& c : kCounters) this->*c.member += other.*c.member;
  return *this;
}

std::span<const Counter> counters() {
  return kCounters;
}
std::span<const DerivedCounter> derived_counters() {
  return kDerived;
}

}  // namespace sagitta
