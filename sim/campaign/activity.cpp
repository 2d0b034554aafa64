#include "campaign/activity.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "schedule/dataflow_use.h"

namespace sagitta {

Activity::Place Activity::place_of(const RegisterClass& registers) {
  const std::string path = as_first_array(registers.path);
  const auto starts = [&path](const char* prefix) { return path.starts_with(prefix); };
  const auto fixed_lane = [&path] { return std::stoi(path.substr(path.find('[') + 1)); };
  const bool has_lanes = path.ends_with("[]");
  const bool sum = path.find(".acc") != std::string::npos;
  if (path.ends_with(".uncorrected")) return {Kind::control, -1};
  if (starts("array.pe")) return {Kind::array_pe, -1, sum};
  if (starts("array.skew_a")) return {Kind::activation_skew, fixed_lane()};
  if (starts("array.skew_swap")) return {Kind::array_row, fixed_lane()};
  if (starts("array.skew_b")) return {Kind::weight_skew, fixed_lane()};
  if (starts("memory.activation.map")) return {Kind::activation_map, -1};
  if (starts("memory.activation.read")) return {Kind::activation_read, -1};
  if (starts("memory.activation.vector")) return {Kind::pool_lane, -1};
  if (starts("memory.weight.bank")) return {Kind::weight_bank, -1};
  if (starts("resilience.checksum.weight.bank")) return {Kind::checksum_bank, -1};
  if (starts("memory.weight.read")) return {Kind::weight_read, -1};
  if (starts("memory.parameter.wait")) return {Kind::channel_parameter, -1};
  if (starts("memory.parameter.bank")) return {Kind::parameter_bank, -1};
  if (starts("array.deskew")) return {Kind::array_lane, fixed_lane()};
  if (starts("memory.partial.row[]")) return {Kind::partial_row, -1};
  if (starts("memory.partial.read[]")) return {Kind::lane_read, -1};
  if (starts("memory.vote.bank")) return {Kind::vote_row, -1};
  if (starts("memory.vote.read")) return {Kind::vote_read, -1};
  if (starts("memory.partial.finished.sum")) return {Kind::stage_lane, -1};
  if (starts("memory.partial.finished.address")) return {Kind::stage, -1};
  if (starts("resilience.checksum.partial.finished")) return {Kind::stage, -1};
  if (starts("resilience.checksum.partial") || starts("resilience.checksum.wait") ||
      starts("resilience.checksum.skew_swap") || starts("resilience.checksum.input_tree") ||
      starts("resilience.checksum.late")) {
    return {Kind::array_any, -1};
  }
  if (starts("resilience.columns.buffer")) return {Kind::column_row, -1};
  if (starts("resilience.columns.difference") || starts("resilience.columns.bias")) {
    return {Kind::lane_parameter, -1};
  }
  if (starts("resilience.columns.") && !starts("resilience.columns.read") &&
      !starts("resilience.columns.output")) {
    return {Kind::column_sum, -1};
  }
  if (starts("memory.accumulator")) return {Kind::accumulator, -1};
  if (starts("memory.dma.data[]")) return {Kind::dma, -1};
  if (starts("resilience.checksum.skew")) return {Kind::detector_row, fixed_lane()};
  if (starts("resilience.checksum.pe")) return {Kind::detector_row, -1, sum};
  if (starts("vector.bias[]") || starts("vector.scale") || starts("vector.shift")) {
    return {Kind::lane_parameter, -1};
  }
  if (starts("vector.pool")) return {Kind::maximum_lane, -1};
  if (starts("vector.requantise.product")) return {Kind::product_lane, -1};
  if (starts("resilience.checksum.bias_sum")) return {Kind::lane_parameter, -1};
  if (path.ends_with(".valid")) return {Kind::control, -1};
  if (starts("resilience.recompute")) return {Kind::control, -1};
  if (path.ends_with(".open") || path.ends_with(".position")) return {Kind::control, -1};
  if (starts("resilience.") || starts("vector.")) {
    if (path.find(".line[].") != std::string::npos) return {Kind::line_word, -1};
    // A neuron's: as if each were still to come.
    if (path.find(".bounds.") != std::string::npos) return {Kind::control, -1};
    for (const char* of_map : {".row", ".pixel", ".slot", ".full", ".pushing"}) {
      if (path.ends_with(of_map)) return {Kind::control, -1};
    }
    if (path.ends_with(".low[]") || path.ends_with(".high[]")) return {Kind::lane_parameter, -1};
    if (path.find(".tree[") != std::string::npos) return {Kind::stage, -1};
    return {has_lanes ? Kind::stage_lane : Kind::stage, -1};
  }
  return {Kind::control, -1};
}

namespace {

// Of a checker along lines or in maps: the vector before, with which the next one's difference is
// formed; in maps also the one judged before, which may take the next one's place.
bool waits_for_the_next(const std::string& path, const Protection& protection) {
  for (std::size_t i = 0; i < protection.checkers.size(); ++i) {
    const std::string block = "resilience." + checker_name(protection, i);
    const Axis axis = protection.checkers[i].axis;
    if (axis != Axis::lanes && path == block + ".difference.sum[]") return true;
    if (axis == Axis::map && path == block + ".above.sum[]") return true;
  }
  return false;
}

}  // namespace

Activity::Activity(const SiteMap& sites, const Program& program)
    : sites_(&sites), program_(&program) {
  for (const RegisterClass& c : sites.classes()) {
    if (as_first_array(c.path).starts_with("array.load")) loads_.push_back(&c);
    places_.push_back(place_of(c));
    Place& place = places_.back();
    if (waits_for_the_next(c.path, program.protection)) place.kind = Kind::control;
    for (const Dataflow d : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
      const bool resting = place.kind != Kind::control && place.kind != Kind::weight_bank &&
                           place.kind != Kind::checksum_bank;
      place.used[static_cast<std::size_t>(d)] = !resting || used_in(c.path, d);
    }
    if (place.kind != Kind::stage && place.kind != Kind::stage_lane &&
        place.kind != Kind::product_lane) {
      continue;
    }
    place.valid = valid_of(c.path);
    if (place.valid == nullptr) place.kind = Kind::lane_parameter;  // bounds of a whole layer
  }
  for (const LayerDescriptor& c : program.layers) {
    if (c.operation != static_cast<std::uint8_t>(LayerOperation::gemm)) continue;
    for (const ColumnTile& tile : column_tiles(c.columns, c.group_columns, c.tile_channels)) {
      const std::int64_t depth = c.depth;
      const int rows = program.array.rows;
      if (static_cast<Dataflow>(c.dataflow) == Dataflow::is) {
        tiles_.push_back({true, (depth + rows - 1) / rows * tile.lanes, rows, depth, tile.lanes});
      } else {
        tiles_.push_back({false, depth, tile.lanes, depth, tile.lanes});
      }
    }
  }
  find_live_maps();
}

// Backwards: a layer needs its operands, and no longer what its output's place held before.
void Activity::find_live_maps() {
  std::vector<std::int64_t> live(static_cast<std::size_t>(program_->activation_maps), 0);
  live[program_->layers.back().output_map] = program_->raw_output ? 0 : program_->logits;
  live_before_.assign(program_->layers.size() + 1, live);
  live_during_.resize(program_->layers.size());
  for (std::size_t i = program_->layers.size(); i-- > 0;) {
    const LayerDescriptor& c = program_->layers[i];
    const bool gemm = c.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
    const std::int64_t channels =
        gemm ? std::int64_t{c.tap_channels} * (c.columns / c.group_columns) : c.columns;
    live[c.output_map] = 0;
    live[c.input_map] = live[c.second_map] =
        std::int64_t{program_->batch} * c.height * c.width * channels;
    live_before_[i] = live_during_[i] = live;
    live_during_[i][c.output_map] = std::int64_t{c.rows} * c.columns;
  }
}

// The valid bit of the stage that a register of the drain path belongs to.
const RegisterClass* Activity::valid_of(const std::string& path) const {
  const std::string checksum = "resilience.checksum.";
  std::string stage = path.substr(0, path.rfind('.'));
  if (path == checksum + "partial.finished") stage = "memory.partial.finished";
  if (path == checksum + "difference") stage = checksum + "output";
  for (const std::string& beside : {checksum + "tree[", checksum + "expected["}) {
    if (!path.starts_with(beside)) continue;
    const std::string level = path.substr(beside.size(), path.find(']') - beside.size());
    stage = level == "0" ? "vector.bias_add" : fmt::format("{}delay[{}]", checksum, level);
  }
  for (const RegisterClass& c : sites_->classes()) {
    if (c.path == stage + ".valid") return &c;
  }
  return nullptr;
}

Activity::Moment Activity::moment(const Machine& machine) {
  const SequencerState& s = machine.control();
  const std::byte* now = machine.state().now();
  const DmaState& dma = machine.dma().state(now);
  Moment moment;
  moment.arrived = dma.position;
  moment.arriving = machine.dma().arriving(now);
  moment.transfers = dma.done;
  moment.column_tile = s.column_tile;
  moment.first_row = s.first_row;
  moment.layer = static_cast<std::uint8_t>(s.layer);
  moment.phase = s.phase;
  moment.weight_bank = s.weight_bank;
  moment.dataflow = static_cast<std::uint8_t>(machine.sequencer().dataflow(s));
  return moment;
}

bool Activity::of_moment(int register_class) const {
  const Kind kind = places_[static_cast<std::size_t>(register_class)].kind;
  return kind == Kind::activation_map || kind == Kind::weight_bank || kind == Kind::checksum_bank ||
         kind == Kind::parameter_bank;
}

bool Activity::in_use(const Moment& moment, const Site& site) const {
  if (static_cast<Phase>(moment.phase) == Phase::done) return false;
  const Place& place = places_[static_cast<std::size_t>(site.register_class)];
  if (!place.used[moment.dataflow]) return false;
  if (place.kind == Kind::parameter_bank) return true;
  std::vector<int> index = sites_->indices(site);
  if (place.kind == Kind::activation_map) return activation_in_use(moment, index);
  // Of a row: check bits of either byte of its checksum weight are like the weight.
  if (place.kind == Kind::checksum_bank) index.resize(2);
  return weight_in_use(moment, index);
}

bool Activity::activation_in_use(const Moment& moment, const std::vector<int>& index) const {
  const auto phase = static_cast<Phase>(moment.phase);
  const std::size_t layer = std::min<std::size_t>(moment.layer, program_->layers.size());
  const bool between = phase == Phase::load || phase == Phase::store;
  const auto& used = between || layer == 0 ? live_before_[layer] : live_during_[layer - 1];
  return index.back() < used[static_cast<std::size_t>(index[0])];
}

// A bank holds the weights of the tile at work, or of the next one that it was made for; rows that
// DMA has not brought yet are still free.
bool Activity::weight_in_use(const Moment& moment, const std::vector<int>& index) const {
  const auto tile =
      static_cast<std::size_t>(moment.column_tile) + (index[0] == moment.weight_bank ? 0 : 1);
  if (tile >= tiles_.size()) return false;
  const WeightTile& t = tiles_[tile];
  const std::size_t transfer = tile + 1;  // transfer 0 is the image
  if (static_cast<std::size_t>(moment.transfers) <= transfer) {
    if (moment.arriving != static_cast<int>(transfer)) return false;
    const std::int64_t end = program_->transfers[transfer].header +
                             (index[1] + std::int64_t{1}) * program_->weight_stride();
    if (end > moment.arrived) return false;
  }
  if (index[1] >= t.rows || (index.size() == 3 && index[2] >= t.lanes)) return false;
  if (index.size() < 3) return !t.is;  // the checksum weight
  return !t.is || std::int64_t{index[1] / t.channels} * t.lanes + index[2] < t.depth;
}

// The array has work, or what it has worked out is still on its way to the drain path.
bool Activity::feeding(const Machine& machine, const SequencerState& s) const {
  switch (static_cast<Phase>(s.phase)) {
    case Phase::feed:
    case Phase::bubble:
    case Phase::drain:
    case Phase::preload:
    case Phase::stream:
    case Phase::settle:
      return true;
    default:
      break;
  }
  const auto valid = [](std::uint8_t tag) { return (tag & kTagValid) != 0; };
  return s.mode1 != 0 || s.mode2 != 0 ||
         machine.sequencer().any_tag(machine.state().now(), valid) ||
         (program_->array.overlap && (s.drain1 != 0 || s.drain2 != 0));
}

// Rows of the array that hold something of the tile at work or, where that is still on its way
// through the array, of the one before it, which had all rows.
int Activity::rows_at_work(const Machine& machine, const SequencerState& s) const {
  const Sequencer& sequencer = machine.sequencer();
  const auto phase = static_cast<Phase>(s.phase);
  const std::byte* now = machine.state().now();
  const int height = program_->array.rows;
  const Dataflow dataflow = sequencer.dataflow(s);
  if (dataflow != Dataflow::os) {
    // Of a fold that is not the last; or operands of any fold that are moving in.
    const auto earlier = [](std::uint8_t tag) {
      return (tag & kTagValid) != 0 && (tag & kTagLastFold) == 0;
    };
    const bool loading = phase == Phase::preload || s.load1 != 0 ||
                         std::any_of(loads_.begin(), loads_.end(), [now](const RegisterClass* c) {
                           return *(now + c->offset) != std::byte{0};
                         });
    const bool other_fold = sequencer.any_tag(now, earlier) || phase == Phase::settle;
    return other_fold || (loading && dataflow == Dataflow::is) ? height : sequencer.rows(s);
  }
  // The sequencer is two cycles ahead, and with overlap a tile's sums leave behind the next one's.
  if (program_->array.overlap && s.first_row > 0 &&
      (s.drain_left != 0 || phase == Phase::bubble ||
       (phase == Phase::feed && s.weight_row == 0))) {
    return height;
  }
  // Where tiles may run again, `first_row` stays until the tile has been judged.
  const bool stays = program_->protection.reruns() || program_->protection.column_checksum;
  if (!stays && phase != Phase::drain && (s.drain1 != 0 || s.drain2 != 0)) {
    return std::clamp(s.config.rows - (s.first_row - height), 0, height);
  }
  return sequencer.rows(s);
}

bool Activity::in_use(const Machine& machine, const Site& site) const {
  const SequencerState& s = machine.control();
  const auto phase = static_cast<Phase>(s.phase);
  if (phase == Phase::done) return false;
  const Place& place = places_[static_cast<std::size_t>(site.register_class)];
  const Dataflow dataflow = machine.sequencer().dataflow(s);
  const bool is = dataflow == Dataflow::is;
  if (!place.used[static_cast<std::size_t>(dataflow)]) return false;
  const std::vector<int> index = sites_->indices(site);
  const int last = index.empty() ? 0 : index.back();
  const bool all_rows = place.sum && dataflow != Dataflow::os;
  const int rows = all_rows ? program_->array.rows : rows_at_work(machine, s);
  const int lanes = machine.sequencer().lanes(s);
  const bool array = feeding(machine, s);
  const bool pooling = phase == Phase::pool || s.pool1 != 0 || s.pool2 != 0;
  const LayerDescriptor& c = s.config;
  switch (place.kind) {
    case Kind::control:
      return true;
    case Kind::array_pe:
      return array && index[0] < rows && index[1] < lanes;
    case Kind::array_row:
      return array && place.lane < rows;
    case Kind::array_lane:
      return array && place.lane < lanes;
    case Kind::lane_read:
      return array && last < lanes;
    case Kind::activation_skew:
      return array && place.lane < (is ? lanes : rows);
    case Kind::weight_skew:
      return array && place.lane < (is ? rows : lanes);
    case Kind::activation_read:
      return array && last < (is ? lanes : rows);
    case Kind::weight_read:
      return array && last < (is ? rows : lanes);
    case Kind::detector_row:
      return array && (place.lane >= 0 ? place.lane : last) < rows;
    case Kind::activation_map:
    case Kind::weight_bank:
    case Kind::checksum_bank:
    case Kind::parameter_bank:
      return in_use(moment(machine), site);
    case Kind::partial_row:
      return array && last < lanes &&
             index[0] < (is ? c.columns - s.first_column : c.rows - s.first_row);
    case Kind::vote_row: {  // written, and not yet voted on
      const int pass = machine.pass();
      const auto row = static_cast<int>(machine.votes()->row(machine.state().now()));
      const bool kept = pass > index[0] || (pass == index[0] && index[1] < row);
      return last < lanes && kept && (pass < 2 || index[1] >= row);
    }
    case Kind::vote_read:  // of the last pass, from the end of the one before on
      return last < lanes && machine.pass() > 0;
    case Kind::column_sum:
      return array || phase == Phase::verify;
    case Kind::column_row: {  // an address and a difference stand behind the sums
      const bool used = last < lanes || last >= program_->array.columns;
      return (array || phase == Phase::verify) && index[0] < rows && used;
    }
    case Kind::line_word:  // address and flag are those of a whole vector
      return index[0] < c.line && (index.size() < 2 || last < lanes) &&
             (array || phase == Phase::flush || phase == Phase::verify);
    case Kind::array_any:
      return array;
    case Kind::channel_parameter:
      return array || phase == Phase::flush;
    case Kind::accumulator:
      return true;
    case Kind::dma:
      return machine.dma().state(machine.state().now()).data_valid != 0;
    case Kind::lane_parameter:
      return (array || phase == Phase::flush || phase == Phase::setup || phase == Phase::verify) &&
             last < lanes;
    case Kind::stage_lane:
    case Kind::stage: {
      const std::byte* valid = machine.state().now() + place.valid->offset;
      return *valid != std::byte{0} && (place.kind == Kind::stage || last < lanes);
    }
    case Kind::product_lane: {
      const bool adding =
          pooling && c.operation == static_cast<std::uint8_t>(LayerOperation::accumulate);
      const bool valid = *(machine.state().now() + place.valid->offset) != std::byte{0};
      return (valid || adding) && last < lanes;
    }
    case Kind::maximum_lane:
      return pooling && last < lanes &&
             c.operation == static_cast<std::uint8_t>(LayerOperation::max_pool);
    case Kind::pool_lane:
      return phase == Phase::store || (pooling && last < lanes);
  }
  return true;
}

}  // namespace sagitta
