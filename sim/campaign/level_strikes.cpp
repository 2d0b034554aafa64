#include "campaign/level_strikes.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "schedule/images.h"

namespace sagitta {

NeuronStrikes::NeuronStrikes(const SiteMap& sites, const Network& network) : sites_(&sites) {
  const auto find = [&](const std::string& path, Place& place) {
    place.register_class = class_of(sites, path);
    const auto& extents = sites.classes()[static_cast<std::size_t>(place.register_class)].extents;
    place.copies = extents.size() > 1 ? extents.back() : 1;
    for (const Layer& layer : network.layers) {
      const bool gemm = layer.kind == LayerKind::gemm;
      place.cycles.emplace_back(gemm ? static_cast<std::size_t>(layer.output.elements()) : 0, -1);
    }
  };
  find("vector.bias_add.sum[]", sums_);
  find("vector.output.value[]", outputs_);
  for (const auto& elements : sums_.cycles) bits_.emplace_back(elements.size(), 0U);
}

// A register with copies is struck in its first one, as registers of the common population are.
int NeuronStrikes::class_of(const SiteMap& sites, const std::string& path) {
  const auto& classes = sites.classes();
  for (const std::string& name : {path, path + ".copy[]"}) {
    const auto found = std::find_if(classes.begin(), classes.end(),
                                    [&](const RegisterClass& c) { return c.path == name; });
    if (found != classes.end()) return static_cast<int>(found - classes.begin());
  }
  throw std::logic_error("the machine has no register " + path);
}

// Calls visit(lane, element) for the lanes of a vector at `address` that lie in the result.
template <typename Visit>
void NeuronStrikes::each_lane(const Machine& machine, std::int32_t address, std::size_t elements,
                              const Visit& visit) {
  const SequencerState& s = machine.control();
  const std::int64_t step = machine.sequencer().lane_step(s);
  std::int64_t at = address;
  for (int lane = 0; lane < machine.sequencer().lanes(s); ++lane, at += step) {
    if (at >= 0 && at < static_cast<std::int64_t>(elements)) {
      visit(lane, static_cast<std::size_t>(at));
    }
  }
}

void NeuronStrikes::forget() {
  for (Place* place : {&sums_, &outputs_}) {
    for (auto& elements : place->cycles) std::fill(elements.begin(), elements.end(), -1);
  }
}

void NeuronStrikes::note(const Machine& machine) {
  const auto layer = static_cast<std::size_t>(machine.layer());
  if (layer >= bits_.size() || bits_[layer].empty()) return;
  const auto note_first = [&](std::int32_t address, std::vector<std::int32_t>& cycles) {
    each_lane(machine, address, cycles.size(), [&](int, std::size_t element) {
      if (cycles[element] < 0) cycles[element] = static_cast<std::int32_t>(machine.cycle());
    });
  };
  const std::byte* now = machine.state().now();
  const SumVector sums = machine.vector().sums(now);
  if (sums.valid) note_first(sums.address, sums_.cycles[layer]);
  const WriteBack write = machine.vector().output(now);
  if (write.valid) note_first(write.address, outputs_.cycles[layer]);
}

void NeuronStrikes::begin(NeuronValues values, const std::vector<NeuronFault>& faults, bool keep,
                          bool oracle) {
  const auto bits = [this](const NeuronFault& f) -> std::uint32_t& {
    return bits_.at(static_cast<std::size_t>(f.layer)).at(static_cast<std::size_t>(f.element));
  };
  for (const NeuronFault& f : faults_) bits(f) = 0;  // of the last run
  values_ = values;
  faults_ = faults;
  keep_ = keep;
  oracle_ = oracle;
  records_.clear();
  left_ = fired_ = zeroed_ = 0;
  for (const NeuronFault& f : faults_) {
    bits(f) ^= 1U << f.bit;
    left_ += (bits(f) >> f.bit & 1U) != 0 ? 1 : -1;  // two flips of the same bit cancel
  }
}

std::int64_t NeuronStrikes::first_cycle() const {
  const Place& place = values_ == NeuronValues::int32 ? sums_ : outputs_;
  std::int64_t first = -1;
  for (const NeuronFault& f : faults_) {
    const std::int64_t cycle =
        place.cycles[static_cast<std::size_t>(f.layer)][static_cast<std::size_t>(f.element)];
    if (first < 0 || cycle < first) first = cycle;
  }
  return first;
}

void NeuronStrikes::strike(Machine& machine) {
  const auto layer = static_cast<std::size_t>(machine.layer());
  if (left_ == 0 || layer >= bits_.size() || bits_[layer].empty()) return;
  const std::byte* now = machine.state().now();
  std::int32_t address = 0;
  if (values_ == NeuronValues::int32) {
    const SumVector sums = machine.vector().sums(now);
    if (!sums.valid) return;
    address = sums.address;
  } else {
    const WriteBack write = machine.vector().output(now);
    if (!write.valid) return;
    address = write.address;
  }
  const Place& where = place(values_);
  const auto& registers = sites_->classes()[static_cast<std::size_t>(where.register_class)];
  bool touched = false;
  each_lane(machine, address, bits_[layer].size(), [&](int lane, std::size_t element) {
    std::uint32_t& bits = bits_[layer][element];
    const bool struck = bits != 0;
    for (; bits != 0; bits &= bits - 1) {
      const int bit = std::countr_zero(bits);
      FaultRecord r{{where.register_class, std::int64_t{lane} * where.copies, bit},
                    machine.cycle(),
                    true,
                    0,
                    0};
      r.before = read_register(machine.state(), registers, r.site.element);
      flip_bit(machine.state(), registers, r.site.element, bit);
      r.after = read_register(machine.state(), registers, r.site.element);
      if (keep_) records_.push_back(r);
      --left_;
      ++fired_;
      touched = true;
    }
    if (struck && oracle_) zero(machine, registers, std::int64_t{lane} * where.copies);
  });
  if (touched) machine.touch();
}

void NeuronStrikes::zero(Machine& machine, const RegisterClass& registers, std::int64_t element) {
  const bool sum = values_ == NeuronValues::int32;
  const int zero = sum ? 0 : machine.control().config.output_zero_point;
  const std::int64_t value = read_register(machine.state(), registers, element);
  for (int bit = 0; bit < bits_of(values_); ++bit) {
    const bool differs = ((value ^ zero) >> bit & 1) != 0;
    if (differs) flip_bit(machine.state(), registers, element, bit);
  }
  ++zeroed_;
}

WeightFlips::WeightFlips(Program& program, const Network& network)
    : program_(&program), network_(&network), arrival_(program.transfers.size(), -1) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    tiles_.emplace_back();
    tile_of_.emplace_back();
    if (network.layers[l].kind != LayerKind::gemm) continue;
    const LayerDescriptor& d = program.layers[l];
    tiles_[l] = column_tiles(d.columns, d.group_columns, d.tile_channels);
    tile_of_[l].resize(static_cast<std::size_t>(d.columns));
    for (std::size_t t = 0; t < tiles_[l].size(); ++t) {
      std::fill_n(tile_of_[l].begin() + tiles_[l][t].first, tiles_[l][t].lanes,
                  static_cast<int>(t));
    }
  }
}

void WeightFlips::forget() {
  std::fill(arrival_.begin(), arrival_.end(), -1);
}

void WeightFlips::note(const Machine& machine) {
  const int transfer = machine.dma().arriving(machine.state().now());
  if (transfer < 0 || transfer >= static_cast<int>(arrival_.size())) return;
  std::int64_t& arrival = arrival_[static_cast<std::size_t>(transfer)];
  if (arrival < 0) arrival = machine.cycle();
}

void WeightFlips::apply(const std::vector<WeightFault>& faults) {
  undo();
  for (const WeightFault& f : faults) {
    const auto l = static_cast<std::size_t>(f.layer);
    const int tile = tile_of_.at(l).at(static_cast<std::size_t>(f.n));
    // Transfer 0 is the image.
    const int transfer = program_->first_column_tile[l] + tile + 1;
    Transfer& image = program_->transfers[static_cast<std::size_t>(transfer)];
    const std::size_t byte = weight_byte(
        network_->layers[l], tiles_[l][static_cast<std::size_t>(tile)], image, *program_, f.k, f.n);
    std::uint8_t& weight = image.bytes.at(byte);
    const int before = static_cast<std::int8_t>(weight);
    weight ^= static_cast<std::uint8_t>(1U << f.bit);
    flips_.push_back({f, transfer, byte, before, static_cast<std::int8_t>(weight)});
  }
}

void WeightFlips::undo() {
  for (const Flip& f : flips_) {
    program_->transfers[static_cast<std::size_t>(f.transfer)].bytes[f.byte] ^=
        static_cast<std::uint8_t>(1U << f.fault.bit);
  }
  flips_.clear();
}

std::int64_t WeightFlips::first_cycle() const {
  std::int64_t first = -1;
  for (const Flip& f : flips_) {
    const std::int64_t arrival = arrival_[static_cast<std::size_t>(f.transfer)];
    if (first < 0 || arrival < first) first = arrival;
  }
  return first;
}

bool WeightFlips::delivered(const Machine& machine, int transfer) {
  return int{machine.dma().state(machine.state().now()).done} > transfer;
}

bool WeightFlips::delivered(const Machine& machine) const {
  return std::all_of(flips_.begin(), flips_.end(),
                     [&](const Flip& f) { return delivered(machine, f.transfer); });
}

std::vector<WeightRecord> WeightFlips::records(const Machine& machine) const {
  std::vector<WeightRecord> records;
  for (const Flip& f : flips_) {
    records.push_back({f.fault, delivered(machine, f.transfer), f.before, f.after});
  }
  return records;
}

std::int64_t WeightFlips::fired(const Machine& machine) const {
  return std::count_if(flips_.begin(), flips_.end(),
                       [&](const Flip& f) { return delivered(machine, f.transfer); });
}

}  // namespace sagitta
