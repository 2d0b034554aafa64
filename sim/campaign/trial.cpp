#include "campaign/trial.h"

#include <algorithm>

#include "campaign/trial_course.h"
#include "network/reference.h"

namespace sagitta {
namespace {

constexpr std::int64_t kStandstillInterval = 64;
// Of more bytes that differ it is not asked whether all are idle: most are not, then.
constexpr std::size_t kMostIdleBytes = 256;

}  // namespace

const char* to_string(Road road) {
  constexpr const char* kNames[kRoads] = {"core", "difference", "machine", "software"};
  return kNames[static_cast<int>(road)];
}

const char* to_string(Engine engine) {
  return engine == Engine::fast ? "fast" : "machine";
}

TrialEngine::TrialEngine(const Program& program, const Network& network, Engine engine)
    : network_(&network),
      program_(program),
      accelerator_(engine == Engine::machine ? make_accelerator(program_) : nullptr),
      plain_(accelerator_ ? nullptr : std::make_unique<Machine>(program_)),
      machine_(accelerator_ ? accelerator_->machine() : *plain_),
      sites_(machine_.layout()),
      activity_(sites_, program_),
      idle_state_(sites_, activity_, machine_.layout()),
      neurons_(sites_, network),
      weights_(program_, network),
      carrier_(network, program_),
      carries_(DifferenceCarrier::allowed(program_)),
      carries_weights_(DifferenceCarrier::weights_allowed(program_)),
      carries_inputs_(DifferenceCarrier::inputs_allowed(program_)),
      clean_(network) {}

CleanResult TrialEngine::prepare(int image, const std::vector<std::int8_t>& pixels, int label) {
  image_ = image;
  label_ = label;
  pixels_ = pixels;
  if (!use_ && !accelerator_) plan();
  clean_.record(machine_, accelerator_.get(), pixels_, neurons_, weights_);
  clean_cycles_ = clean_.cycles();
  CleanResult result = clean_.result();
  result.image = image;
  result.correct = correct_ = top1(result.logits) == label;
  clean_trial_ = clean_trial();
  return result;
}

// What is the same for all images.
void TrialEngine::plan() {
  use_.emplace(program_, [this](const Machine& machine) {
    moments_.push_back(Activity::moment(machine));
    layers_.push_back(static_cast<std::int16_t>(machine.layer()));
  });
  // Where layers meet, so that differences that only the next one reads are found there.
  std::vector<std::int64_t> meet;
  for (std::size_t l = 0; l <= network_->layers.size(); ++l) meet.push_back(use_->first_access(l));
  clean_.plan(use_->cycles(), machine_.state().snapshot_bytes(), meet);
}

// Before the first cycle in which any of the trial's faults changes something.
void TrialEngine::start(Course& course) {
  course.on_machine = true;
  std::int64_t first = course.injector.next_cycle();
  for (const std::int64_t cycle : {neurons_.first_cycle(), weights_.first_cycle()}) {
    if (cycle >= 0 && (first < 0 || cycle < first)) first = cycle;
  }
  if (!course.shortcuts || first < 0) {
    machine_.reset(pixels_.data());
    return;
  }
  course.search = clean_.before(first);
  clean_.restore(machine_, course.search);
  course.suppressions = machine_.suppressions();
  course.began_with = course.suppressions.size();
}

void TrialEngine::strike(Course& course) {
  const std::int64_t cycle = machine_.cycle();
  if (course.layer < 0) course.layer = machine_.layer();
  std::function<void(const Site&)> note;
  if (!course.in_use) {
    note = [&](const Site& site) {
      course.in_use = course.in_use || activity_.in_use(machine_, site);
    };
  }
  if (!course.injector.strike(machine_.state(), cycle, note)) return;
  machine_.touch();
  course.unchanged = 0;
}

// On the SystemC accelerator: one piece, the whole run.
TrialEngine::Stop TrialEngine::run_whole(Course& course) {
  const auto strikes = [&] {
    if (machine_.cycle() == course.injector.next_cycle()) strike(course);
    if (neurons_.pending()) neurons_.strike(machine_);
    if (watch_) watch_(machine_);
    return watch_ || course.injector.next_cycle() >= 0 || neurons_.pending();
  };
  return accelerator_->run(course.limit, strikes) ? Stop::done : Stop::too_long;
}

TrialEngine::Stop TrialEngine::run_piece(Course& course) {
  clean_.held().forget();
  while (!machine_.done()) {
    const std::int64_t cycle = machine_.cycle();
    if (cycle + course.late >= course.limit) return Stop::too_long;
    if (cycle == course.injector.next_cycle()) strike(course);
    if (neurons_.pending()) neurons_.strike(machine_);
    if (course.shortcuts && cycle != course.passed_over && clean_again(course)) return Stop::clean;
    if (!course.recomputed && machine_.again()) {
      course.recomputed = true;
      course.search = 0;  // from now on by progress
    }
    machine_.step();
    // A machine that stands still will do so for ever. Two unchanged edges are needed: the first
    // may have followed a write to a memory, which the second one would then have shown. Nor may
    // faults have changed anything in between, or have other changes in store.
    const bool looked_at = machine_.cycle() % kStandstillInterval < 2;
    course.unchanged =
        looked_at && machine_.state().pipeline_unchanged() ? course.unchanged + 1 : 0;
    if (course.shortcuts && course.unchanged == 2 && course.injector.settled() &&
        !machine_.done()) {
      return Stop::stands_still;
    }
  }
  return Stop::done;
}

// Every fault has struck, and all state is that of a checkpoint but for words of memories, and for
// registers that are not in use.
bool TrialEngine::clean_again(Course& course) {
  const std::optional<std::size_t> like = clean_.like(machine_, course.recomputed, course.search);
  if (!like || course.injector.next_cycle() >= 0 || neurons_.pending() ||
      !weights_.delivered(machine_)) {
    return false;
  }
  const Machine::Snapshot& checkpoint = clean_.checkpoint(*like);
  const MachineState& state = std::as_const(machine_).state();
  const auto idle = [&](Region region, std::size_t place) {
    return idle_state_.idle(machine_, region, place);
  };
  // What was found to differ the last time mostly still does.
  if (course.suspect && state.now()[*course.suspect] != checkpoint.state[*course.suspect] &&
      !idle(Region::pipeline, *course.suspect)) {
    return false;
  }
  course.suspect.reset();
  std::vector<std::size_t>& places = course.places;
  const bool few = state.differences(Region::pipeline, checkpoint.state, kMostIdleBytes, places);
  for (const std::size_t place : places) {
    if (idle(Region::pipeline, place)) continue;
    course.suspect = place;
    return false;
  }
  if (!few || !machine_.host_equals(checkpoint)) return false;
  clean_.held().differences(state.held(), *like, places);
  std::vector<std::size_t>& differ = course.differ;
  differ = places;
  std::size_t words = 0;
  for (const std::size_t place : places) {
    if (use_->knows(place)) {
      places[words++] = place;
    } else if (!idle(Region::held, place)) {
      return false;
    }
  }
  places.resize(words);
  clean_.held().know(*like, differ);
  course.checkpoint = *like;
  course.bytes.clear();
  for (const std::size_t place : places) course.bytes.push_back(state.held()[place]);
  return true;
}

// Forgets the words that are written before they are read, or never read, from `cycle` on; returns
// when the first of the others is read, -1 if there are none.
std::int64_t TrialEngine::next_read(Course& course, std::int64_t cycle) const {
  std::int64_t first = -1;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < course.places.size(); ++i) {
    const MemoryUse::Access next = use_->next(course.places[i], cycle);
    if (next.cycle < 0 || next.write) continue;
    if (first < 0 || next.cycle < first) first = next.cycle;
    course.places[kept] = course.places[i];
    course.bytes[kept++] = course.bytes[i];
  }
  course.places.resize(kept);
  course.bytes.resize(kept);
  return first;
}

// Whether nothing more can differ on the machine, where only words of memories differ from `cycle`
// on, the first of which is read in `read` (-1: none).
bool TrialEngine::settle(Course& course, std::int64_t cycle, std::int64_t read) {
  if (read < 0) {
    course.road = Road::core;
    return true;
  }
  if ((carries_ && carry(course, cycle, read, course.differences)) ||
      (carries_weights_ && carry_weights(course, cycle, course.differences)) ||
      (carries_inputs_ && carry_input(course, cycle, read, course.differences))) {
    course.road = Road::difference;
    return true;
  }
  return false;
}

// Behind a piece that ended clean: false where nothing more can differ on the machine.
bool TrialEngine::go_on(Course& course) {
  const std::int64_t cycle = clean_.checkpoint(course.checkpoint).cycle;
  const std::int64_t read = course.places.empty() ? -1 : next_read(course, cycle);
  if (settle(course, cycle, read)) return false;
  const std::size_t next = clean_.before(read);
  if (next == course.checkpoint) {
    course.passed_over = machine_.cycle();
    return true;
  }
  leave_piece(course);
  skip_to(course, next);
  return true;
}

// The piece at hand ends as the fault-free run at its checkpoint.
void TrialEngine::leave_piece(Course& course) {
  if (!course.on_machine) return;  // there was none
  const Machine::Snapshot& checkpoint = clean_.checkpoint(course.checkpoint);
  course.late += machine_.cycle() - checkpoint.cycle;
  course.counts.add(RunCounts::of(checkpoint.counters), RunCounts::of(machine_.counters()));
  const auto& suppressions = machine_.suppressions();
  const auto begin = suppressions.begin() + static_cast<std::ptrdiff_t>(course.began_with);
  course.suppressions.insert(course.suppressions.end(), begin, suppressions.end());
  course.began_with = checkpoint.suppressions.size();
}

// Goes on with the fault-free run from a later checkpoint, but for the words that differ.
void TrialEngine::skip_to(Course& course, std::size_t next) {
  const Machine::Snapshot& checkpoint = clean_.checkpoint(next);
  // None of the words is written in the part that is left out: each is read first.
  clean_.restore(machine_, next);
  course.on_machine = true;
  std::byte* held = machine_.state().held();
  for (std::size_t i = 0; i < course.places.size(); ++i) held[course.places[i]] = course.bytes[i];
  machine_.touch();
  const auto& suppressions = clean_.suppressions();
  course.suppressions.insert(
      course.suppressions.end(),
      suppressions.begin() + static_cast<std::ptrdiff_t>(course.began_with),
      suppressions.begin() + static_cast<std::ptrdiff_t>(checkpoint.suppressions.size()));
  course.began_with = checkpoint.suppressions.size();
  course.recomputed = false;
  course.search = next;
  course.unchanged = 0;
  course.passed_over = checkpoint.cycle;
}

TrialResult TrialEngine::run_trial(std::int64_t trial, const TrialFaults& faults, bool from_reset) {
  std::optional<MemoryFlip> flip;
  if (!accelerator_ && !from_reset) flip = memory_flip(faults);
  if (flip && !flip->read) {
    TrialResult result = unread(*flip);
    result.trial = trial;
    return result;
  }
  neurons_.begin(faults.values, faults.neurons, keep_records_, oracle_);
  weights_.apply(faults.weights);
  Course course(sites_, faults, *network_, clean_.values());
  course.shortcuts = !from_reset && !accelerator_;
  course.limit = budget(clean_cycles_, program_.protection.retries);
  bool runs = true;
  if (flip) {
    runs = start_behind(*flip, course);
  } else {
    start(course);
  }
  machine_.set_observer(&course.differences);
  Stop stop = Stop::clean;
  while (runs) {
    stop = accelerator_ ? run_whole(course) : run_piece(course);
    runs = stop == Stop::clean && go_on(course);
  }
  machine_.set_observer(nullptr);

  TrialResult result = conclude(course, stop);
  result.trial = trial;
  result.faults_drawn = static_cast<std::int64_t>(faults.registers.size() + faults.neurons.size() +
                                                  faults.weights.size());
  weights_.undo();
  return result;
}

TrialResult TrialEngine::conclude(Course& course, Stop stop) {
  const bool finished = stop == Stop::clean || stop == Stop::done;
  RunCounts total = course.counts;
  std::int64_t cycles = 0;
  if (stop == Stop::clean) {  // what the fault-free run does from there on, this one does too
    leave_piece(course);
    total = course.counts;
    total.add({}, RunCounts::of(clean_.result().counters));
    const auto& rest = clean_.suppressions();
    course.suppressions.insert(course.suppressions.end(),
                               rest.begin() + static_cast<std::ptrdiff_t>(course.began_with),
                               rest.end());
    cycles = clean_.cycles() + course.late;
    if (course.road == Road::core) logits_ = clean_.result().logits;
  } else {
    total.add({}, RunCounts::of(machine_.counters()));
    const auto& own = machine_.suppressions();
    course.suppressions.insert(course.suppressions.end(),
                               own.begin() + static_cast<std::ptrdiff_t>(course.began_with),
                               own.end());
    cycles = stop == Stop::stands_still ? course.limit : machine_.cycle() + course.late;
    logits_ = machine_.logits();
  }

  TrialResult result;
  result.image = image_;
  result.road = course.road;
  result.reference_class = top1(clean_.result().logits);
  result.reference_correct = correct_;
  result.layer = course.layer;
  result.cycles = cycles;
  result.mismatches = total.mismatches;
  result.recomputed_tiles = total.recomputed_tiles;
  result.recompute_cycles = total.recompute_cycles;
  result.faults = course.injector.records();
  result.faults_fired = std::count_if(result.faults.begin(), result.faults.end(),
                                      [](const FaultRecord& r) { return r.fired; }) +
                        neurons_.fired() + weights_.fired(machine_);
  if (keep_records_) {
    result.faults.insert(result.faults.end(), neurons_.records().begin(), neurons_.records().end());
    result.weights = weights_.records(machine_);
  }
  judge(course.suppressions, result);
  result.suppressed_right += neurons_.zeroed();
  course.counts = total;
  result.outcome = classify(course, result, finished, course.suppressions.size());
  if (finished && result.outcome != Outcome::detected_uncorrected) {
    result.predicted_class = top1(logits_);
    result.correct = result.predicted_class == label_;
  }
  return result;
}

Outcome TrialEngine::classify(const Course& course, const TrialResult& result, bool finished,
                              std::size_t suppressions) const {
  if (!finished) return Outcome::hang;
  if (result.faults_fired == 0) return Outcome::not_fired;
  if (course.on_machine && machine_.uncorrected()) return Outcome::detected_uncorrected;
  const CleanResult& clean = clean_.result();
  if (logits_ != clean.logits) return compare_logits(clean.logits, logits_, label_);
  const bool acted = result.mismatches > clean.mismatches || neurons_.zeroed() > 0 ||
                     static_cast<std::int64_t>(suppressions) > clean.suppressed ||
                     course.counts.corrected > 0;
  if (acted) return Outcome::detected_corrected;
  switch (course.differences.reach()) {
    case Reach::output:
      return Outcome::masked_downstream;
    case Reach::activation:
      return Outcome::masked_activation;
    case Reach::requantise:
      return Outcome::masked_requantise;
    default:
      return course.in_use ? Outcome::masked_logical : Outcome::masked_idle;
  }
}

}  // namespace sagitta
