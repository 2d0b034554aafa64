// The store of an experiment's trials: one SQLite file (docs/store.md), in which a trial stands
// once it is committed, whatever happens to the process, the disk or a worker afterwards.
//
// One process writes, and holds the file's lock while it does; others may read meanwhile. Nothing
// here is kept in memory that grows with the number of trials.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file_lock.h"
#include "campaign/outcome.h"
#include "campaign/rates.h"
#include "campaign/trial.h"
#include "statistics/cluster_bootstrap.h"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace sagitta {

// Trials k of part i of n: those with k mod n = i - 1.
struct Shard {
  int part = 1;
  int of = 1;
  bool has(std::int64_t number) const { return number % of == part - 1; }
  bool whole() const { return of == 1; }
  // How many of the trials 0 .. n - 1.
  std::int64_t share(std::int64_t n) const { return (n - part + of) / of; }
  std::string name() const { return std::to_string(part) + "/" + std::to_string(of); }
  bool operator==(const Shard&) const = default;
};
// "2/4". Throws InputError for what is none.
Shard parse_shard(const std::string& text);

// How a campaign keeps its trials.
struct StoreOptions {
  std::string path = {};  // empty: in a temporary file
  bool fresh = false;     // drop what the file holds
  bool resume = false;    // refuse a file that is not there
  Shard shard = {};
};

// What a store says of its experiment: rows of its tables by column, and `meta` by key.
struct StoreHead {
  nlohmann::ordered_json meta = nlohmann::ordered_json::object();
  std::map<std::string, std::vector<nlohmann::ordered_json>> tables = {};
};

// Sums over trials of a configuration. Each counts as often as the points of the fault space that
// it stands for, which is once but in exhaustive samples.
struct TrialSums {
  std::int64_t runs = 0;  // trials as they were run
  std::int64_t trials = 0;
  OutcomeCounts outcomes{};
  std::array<std::int64_t, kRoads> roads{};
  std::int64_t correct = 0;            // right class in spite of the faults
  std::int64_t reference_correct = 0;  // fault-free, on the same draws
  std::int64_t suppressed_right = 0;
  std::int64_t suppressed_wrong = 0;
  std::int64_t drawn = 0;  // faults, of all trials
  std::int64_t fired = 0;  // ... that struck a running machine
};

// Members throw InputError for a file that cannot be used, and std::runtime_error, naming the file
// and the remedy, when it cannot be written any more (a full disk).
class Store {
 public:
  // For writing: opens the file, or makes it. Refuses one of another experiment, naming the
  // difference.
  Store(const StoreOptions& options, const StoreHead& head);
  // For reading what is there.
  explicit Store(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const std::string& path() const { return path_; }
  nlohmann::ordered_json meta() const;
  SQLite::Database& database() const { return *database_; }  // for queries of one's own

  // A fault-free run of an image on a plan (a machine, or behind these a study), and a trial.
  // What is there already stays as it is.
  void put(int plan, const CleanResult& clean);
  void put(int configuration, const TrialResult& trial);
  // What was put is kept from here on; puts are made so by themselves, a while after the first.
  void commit();
  void commit_if_due();
  // How many trials a configuration has, where only those before have told.
  void set_trials(int configuration, std::int64_t trials);
  // All trials are there: leaves one plain file.
  void finish();

  // Which of the trials first .. end - 1 are there, and which images have a fault-free run.
  std::vector<bool> trials_in(int configuration, std::int64_t first, std::int64_t end) const;
  std::vector<bool> images_in(int plan, std::int64_t images) const;

  std::int64_t trials() const;  // of all configurations
  // Of the trials from `first` on.
  TrialSums sums(int configuration, std::int64_t first = 0) const;
  // Of the trials first .. end - 1, by stratum.
  std::vector<OutcomeSums> sums_of_strata(int configuration, std::int64_t first, std::int64_t end,
                                          std::size_t strata) const;
  // Trials on each image that has any: how many, and how many of them ended in SDC.
  std::vector<Cluster> sdc_by_image(int configuration) const;
  // Trials in which only the first or only the second of two configurations has the right class.
  std::pair<std::int64_t, std::int64_t> discordant(int first, int second) const;
  // In their order; trials with their faults.
  void each_clean(int plan, const std::function<void(const CleanResult&)>& visit) const;
  void each_trial(int configuration, const std::function<void(const TrialResult&)>& visit) const;
  std::optional<TrialResult> find_trial(int configuration, std::int64_t trial) const;

  // Takes all rows of a part into this store.
  void add(const Store& part);

 private:
  void visit_trials(int configuration, std::int64_t first, std::int64_t last,
                    const std::function<void(const TrialResult&)>& visit) const;
  void open(bool writes);
  void check_application() const;
  void check_is_ours() const;
  bool is_empty() const;
  void make(const StoreHead& head);
  void begin();
  void put_faults(int configuration, const TrialResult& trial);
  [[noreturn]] void fail(const std::exception& error) const;
  template <typename Work>
  auto guarded(Work work) const;

  std::string path_;
  std::unique_ptr<FileLock> lock_;  // outlives the database
  std::unique_ptr<SQLite::Database> database_;
  std::unique_ptr<SQLite::Statement> put_clean_, put_trial_, put_fault_;
  bool has_wal_ = false;
  bool in_transaction_ = false;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::duration due_{};  // of a transaction, from its begin
};

// The statements that make an empty store's tables and views.
std::string store_schema();

// The first place in which two stores' meta differ in what decides their trials, as text: "" none.
// `shards`: whether that must be the same, too.
std::string difference(const nlohmann::ordered_json& stored, const nlohmann::ordered_json& now,
                       bool shards);

}  // namespace sagitta
