// Campaign's trials: what the store lacks is run by worker processes, a round of trials at a time,
// and read back from the store in the end.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "campaign/campaign.h"
#include "campaign/result_buffer.h"

namespace sagitta {
namespace {

// Trials of a round, of all configurations: it bounds what is held in memory, and how far apart
// neighbours in time are in the store's tables. An image's fault-free run is done in every round.
constexpr std::int64_t kRound = 1 << 21;

}  // namespace

// One call of run_trials. Plans are machines, then studies.
class Campaign::TrialRun {
 public:
  TrialRun(Campaign& campaign, const Progress& progress);
  void run(int workers);
  bool complete() const { return runs_ == decided(); }
  // What is kept, for messages; empty: nothing.
  std::string kept() const;

 private:
  const std::vector<int>& configurations(std::size_t plan) const {
    return plan < campaign_.machines_.size()
               ? campaign_.machines_[plan].configurations
               : campaign_.studies_[plan - campaign_.machines_.size()].configurations;
  }
  const std::vector<std::int64_t>& trials_of(int configuration, std::size_t image) const {
    return campaign_.sources_[static_cast<std::size_t>(configuration)].by_image[image];
  }
  std::int64_t images() const { return campaign_.images_.count(); }
  std::int64_t decided() const;
  void run_decided(int workers);
  void draw(std::int64_t first, std::int64_t end);
  std::vector<std::pair<int, int>> items() const;
  void run_items(int workers, const WorkerHooks& hooks);
  void work(WorkQueue& queue) const;
  template <typename Engine, typename Run>
  void run_image(Engine& engine, std::size_t plan, int image, WorkQueue& queue, Run run) const;
  void take(Buffer& buffer);
  void show();

  Campaign& campaign_;
  const Progress& progress_;
  const Shard shard_;
  std::int64_t runs_ = 0;                   // trials of the shard that are there
  std::vector<std::int64_t> begins_;        // trials of each configuration that earlier stages had
  std::vector<std::vector<bool>> clean_;    // fault-free runs that are there, by plan and image
  std::vector<std::pair<int, int>> items_;  // of this round: plan and image
  ProgressState state_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_ = begin_;
};

Campaign::TrialRun::TrialRun(Campaign& campaign, const Progress& progress)
    : campaign_(campaign), progress_(progress), shard_(campaign.store_options_.shard) {
  const auto& configurations = campaign_.experiment_.configurations;
  begins_.assign(configurations.size(), 0);
  for (std::size_t i = 0; i < configurations.size(); ++i) {
    const TrialSums sums = campaign_.store_->sums(static_cast<int>(i));
    runs_ += sums.runs;
    if (campaign_.sources_[i].sampler) continue;
    state_.trials += sums.trials;
    for (int o = 0; o < kOutcomes; ++o) {
      if (is_sdc(static_cast<Outcome>(o))) state_.sdc += sums.outcomes[static_cast<std::size_t>(o)];
    }
  }
  const std::size_t plans = campaign_.machines_.size() + campaign_.studies_.size();
  std::int64_t clean = 0;
  for (std::size_t plan = 0; plan < plans; ++plan) {
    clean_.push_back(campaign_.store_->images_in(static_cast<int>(plan), images()));
    clean += std::count(clean_.back().begin(), clean_.back().end(), true);
  }
  state_.before = state_.done = runs_ + clean;
  state_.total = decided() + clean;
}

// Trials of the shard, there or not, as far as they are decided.
std::int64_t Campaign::TrialRun::decided() const {
  std::int64_t trials = 0;
  for (const TrialSource& source : campaign_.sources_) trials += shard_.share(source.decided);
  return trials;
}

std::string Campaign::TrialRun::kept() const {
  const std::string& path = campaign_.store_->path();
  if (path.empty()) return "";
  return fmt::format("{} keeps {} of {} trials", path, runs_, decided());
}

// The trials first .. end - 1 of each configuration's stage that are to be run, by image.
void Campaign::TrialRun::draw(std::int64_t first, std::int64_t end) {
  for (std::size_t i = 0; i < campaign_.sources_.size(); ++i) {
    TrialSource& source = campaign_.sources_[i];
    source.by_image.assign(static_cast<std::size_t>(images()), {});
    const std::int64_t begin = begins_[i] + first;
    const std::int64_t last = std::min(begins_[i] + end, source.decided);
    const std::vector<bool> there = campaign_.store_->trials_in(static_cast<int>(i), begin, last);
    for (std::int64_t k = begin; k < last; ++k) {
      if (!shard_.has(k) || there[static_cast<std::size_t>(k - begin)]) continue;
      const int image = campaign_.image_of(static_cast<int>(i), k);
      source.by_image[static_cast<std::size_t>(image)].push_back(k);
    }
  }
}

// Where there is something to do in this round. A shard does the fault-free runs of its trials'
// images, and of its share of the images, so that all shards together have them all.
std::vector<std::pair<int, int>> Campaign::TrialRun::items() const {
  std::vector<std::pair<int, int>> items;
  for (std::size_t plan = 0; plan < clean_.size(); ++plan) {
    for (std::int64_t image = 0; image < images(); ++image) {
      const auto at = static_cast<std::size_t>(image);
      const auto& all = configurations(plan);
      const bool struck =
          std::any_of(all.begin(), all.end(), [&](int c) { return !trials_of(c, at).empty(); });
      if (struck || (!clean_[plan][at] && shard_.has(image))) {
        items.emplace_back(static_cast<int>(plan), static_cast<int>(image));
      }
    }
  }
  return items;
}

// Stage by stage: what samples adapt to is there before they go on.
void Campaign::TrialRun::run(int workers) {
  const auto& all = campaign_.experiment_.configurations;
  state_.grows = std::any_of(all.begin(), all.end(),
                             [](const Configuration& c) { return c.fault.sample.adapts(); });
  for (bool more = true; more;) {
    run_decided(workers);
    const std::int64_t before = decided();
    more = false;
    for (std::size_t i = 0; i < begins_.size(); ++i) {
      begins_[i] = campaign_.sources_[i].decided;
      if (!campaign_.decide_more(i, *campaign_.store_)) continue;
      campaign_.store_->set_trials(static_cast<int>(i), campaign_.sources_[i].decided);
      more = true;
    }
    state_.total += decided() - before;
  }
  state_.grows = false;
  show();
}

void Campaign::TrialRun::run_decided(int workers) {
  const auto configurations = static_cast<std::int64_t>(campaign_.sources_.size());
  const std::int64_t round = std::max<std::int64_t>(1024, kRound / configurations);
  const WorkerHooks hooks{[this](WorkQueue& queue) { work(queue); },
                          [this](Buffer& buffer) { take(buffer); },
                          [this] {
                            campaign_.store_->commit_if_due();
                            constexpr std::chrono::milliseconds kRedraw{100};
                            if (std::chrono::steady_clock::now() - shown_ >= kRedraw) show();
                          }};
  std::int64_t longest = 0;  // stage of a configuration
  for (std::size_t i = 0; i < begins_.size(); ++i) {
    longest = std::max(longest, campaign_.sources_[i].decided - begins_[i]);
  }
  for (std::int64_t first = 0; first < longest; first += round) {
    draw(first, first + round);
    items_ = items();
    if (items_.empty()) continue;
    for (const auto& [plan, image] : items_) {
      const bool there = clean_[static_cast<std::size_t>(plan)][static_cast<std::size_t>(image)];
      state_.total += there ? 0 : 1;
    }
    try {
      run_items(workers, hooks);
    } catch (const LostWorker& e) {
      campaign_.store_->commit();
      const std::string what = kept().empty() ? "nothing was written" : kept();
      std::string remedy;
      if (!kept().empty()) remedy = "run the same command again to go on";
      if (e.signal == SIGKILL) {
        remedy += remedy.empty() ? "" : "; ";
        remedy += "if memory ran out, use fewer workers: -j 1";
      }
      throw std::runtime_error(
          fmt::format("{}; {}{}{}", e.what(), what, remedy.empty() ? "" : "\n  remedy: ", remedy));
    } catch (const Interrupted&) {
      campaign_.store_->commit();
      throw Interrupted{kept()};
    }
    campaign_.store_->commit();
  }
}

// SystemC elaborates once a process, so that each machine then has workers of its own.
void Campaign::TrialRun::run_items(int workers, const WorkerHooks& hooks) {
  const auto all = std::move(items_);
  for (auto first = all.begin(); first != all.end();) {
    const auto end = campaign_.engine_ == Engine::fast
                         ? all.end()
                         : std::find_if(first, all.end(), [first](const auto& item) {
                             return item.first != first->first;
                           });
    items_.assign(first, end);
    run_workers(workers, static_cast<std::int64_t>(items_.size()), hooks);
    first = end;
  }
}

void Campaign::TrialRun::work(WorkQueue& queue) const {
  std::unique_ptr<TrialEngine> engine;
  std::unique_ptr<FloatEngine> floats;
  int current = -1;
  for (std::int64_t i = queue.next(); i >= 0; i = queue.next()) {
    const auto [plan, image] = items_[static_cast<std::size_t>(i)];
    const auto at = static_cast<std::size_t>(plan);
    const bool is_study = at >= campaign_.machines_.size();
    if (plan != current) {
      if (is_study) {
        floats = std::make_unique<FloatEngine>(campaign_.studies_[at - campaign_.machines_.size()]);
        floats->keep_records(campaign_.keep_faults_);
      } else {
        const MachinePlan& machine = campaign_.machines_[at];
        engine =
            std::make_unique<TrialEngine>(machine.program, *machine.network, campaign_.engine_);
        engine->keep_records(campaign_.keep_faults_);
        engine->set_oracle(machine.scheme.oracle);
      }
      current = plan;
    }
    if (is_study) {
      run_image(*floats, at, image, queue, [&](int c, std::int64_t k) {
        return floats->run_trial(k, campaign_.neurons_of(c, k));
      });
    } else {
      run_image(*engine, at, image, queue, [&](int c, std::int64_t k) {
        return engine->run_trial(k, campaign_.faults_of(*engine, c, k));
      });
    }
  }
}

template <typename Engine, typename Run>
void Campaign::TrialRun::run_image(Engine& engine, std::size_t plan, int image, WorkQueue& queue,
                                   Run run) const {
  const auto at = static_cast<std::size_t>(image);
  const auto clean =
      engine.prepare(image, campaign_.images_.image(image), campaign_.images_.labels[at]);
  if (!clean_[plan][at]) {
    put_clean(queue.results, static_cast<int>(plan), as_clean(clean));
    queue.result_is_whole();
  }
  for (const int c : configurations(plan)) {
    const bool names = campaign_.names_faults(c);
    const Sampler* sampler = campaign_.sources_[static_cast<std::size_t>(c)].sampler.get();
    for (const std::int64_t k : trials_of(c, at)) {
      TrialResult trial = run(c, k);
      if (sampler != nullptr) {
        const Sampler::Point point = sampler->point(k);
        trial.stratum = point.stratum;
        trial.weight = point.weight;
      }
      if (!names) trial.faults.clear();
      put_trial(queue.results, c, trial);
      queue.result_is_whole();
    }
  }
}

void Campaign::TrialRun::take(Buffer& buffer) {
  get_results(
      buffer,
      [this](int plan, const CleanResult& clean) {
        campaign_.store_->put(plan, clean);
        clean_[static_cast<std::size_t>(plan)][static_cast<std::size_t>(clean.image)] = true;
        ++state_.done;
      },
      [this](int configuration, const TrialResult& trial) {
        campaign_.store_->put(configuration, trial);
        ++state_.done;
        ++runs_;
        if (campaign_.sources_[static_cast<std::size_t>(configuration)].sampler) return;
        ++state_.trials;
        state_.sdc += is_sdc(trial.outcome) ? 1 : 0;
      });
}

void Campaign::TrialRun::show() {
  shown_ = std::chrono::steady_clock::now();
  state_.seconds = std::chrono::duration<double>(shown_ - begin_).count();
  if (progress_) progress_(state_);
}

void Campaign::run_trials(int workers, const Progress& progress) {
  plan_trials();
  store_ = std::make_unique<Store>(store_options_, store_head());
  TrialRun run(*this, progress);
  run.run(workers);
  if (!run.complete()) throw std::logic_error("trials are missing after a run of all");
  store_->finish();
  if (store_options_.shard.whole()) take_results();
}

void Campaign::take_results() {
  for (std::size_t m = 0; m < machines_.size(); ++m) {
    const int machine = static_cast<int>(m);
    store_->each_clean(machine, [&](const CleanResult& clean) { add_clean(machine, clean); });
  }
  for (std::size_t s = 0; s < studies_.size(); ++s) {
    store_->each_clean(static_cast<int>(machines_.size() + s),
                       [&](const CleanResult& clean) { add_study(static_cast<int>(s), clean); });
  }
  for (std::size_t i = 0; i < fault_results_.size(); ++i) {
    fault_results_[i] = result_of(i);
  }
  finish();
}

}  // namespace sagitta
