// Opening and writing; reading is in store_read.cpp.
#include "campaign/store.h"

#include <sqlite3.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "base/error.h"
#include "campaign/json_text.h"
#include "campaign/store_guard.h"
#include "campaign/trial_fields.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

// In the file's header: whose it is ("SAGT"), and which tables it has. A change of the tables, a
// new column among them, is a new version.
constexpr int kApplication = 0x53414754;
constexpr int kSchema = 2;
// A transaction costs the writing of every page that it touched, and what is not committed is lost
// with the process: short ones, as long as they take little of the time.
constexpr std::chrono::milliseconds kShortest{300};
constexpr std::chrono::milliseconds kLongest{5000};
constexpr int kShare = 25;  // of the time between two of them one takes at most a 25th

const char* const kRemedyElsewhere = "give another folder with -o";

// What may differ between two runs whose trials are the same: where files lie, how the experiment
// was named, and which command reported. What the files hold is in `meta` by digest.
ordered_json decisive(ordered_json meta, bool shards) {
  for (const char* key : {"file", "command"}) meta.erase(key);
  if (!shards) meta.erase("shard");
  if (auto experiment = meta.find("experiment"); experiment != meta.end()) {
    for (const char* key : {"network", "technology", "thresholds"}) experiment->erase(key);
    if (auto plans = experiment->find("fault"); plans != experiment->end() && plans->is_array()) {
      for (ordered_json& plan : *plans) plan.erase("list");
    }
  }
  return meta;
}

// Appends "PLACE: OLD, now NEW" for every difference.
void compare(const ordered_json& a, const ordered_json& b, const std::string& place,
             std::vector<std::string>& found) {
  const ordered_json null;
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      compare(value, b.contains(key) ? b.at(key) : null, json_place(place, key), found);
    }
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key)) compare(null, value, json_place(place, key), found);
    }
  } else if (a.is_array() && b.is_array() && a.size() == b.size()) {
    for (std::size_t i = 0; i < a.size(); ++i) compare(a[i], b[i], json_place(place, i), found);
  } else if (a != b) {
    found.push_back(fmt::format("{} is {} there and {} here", place, show_json(a), show_json(b)));
  }
}

template <typename Value>
void bind_number(SQLite::Statement& statement, int& at, const Value& value) {
  statement.bind(at++, static_cast<std::int64_t>(value));
}

void bind_json(SQLite::Statement& statement, int at, const ordered_json& value) {
  if (value.is_null()) {
    statement.bind(at);
  } else if (value.is_number_float()) {
    statement.bind(at, value.get<double>());
  } else if (value.is_number()) {
    statement.bind(at, value.get<std::int64_t>());
  } else {
    statement.bind(at, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

// A float as SQLite has it: NaN, which SQL does not know, by its name.
void bind_float(SQLite::Statement& statement, int at, float value) {
  if (std::isnan(value)) {
    statement.bind(at, std::signbit(value) ? "-nan" : "nan");
  } else {
    statement.bind(at, static_cast<double>(value));
  }
}

std::string places(std::size_t count) {
  std::string text = "?";
  for (std::size_t i = 1; i < count; ++i) text += ",?";
  return text;
}

}  // namespace

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto part = std::from_chars(text.data(), end, shard.part);
  const bool slash = part.ec == std::errc{} && part.ptr != end && *part.ptr == '/';
  const auto of = std::from_chars(part.ptr + (slash ? 1 : 0), end, shard.of);
  if (!slash || of.ec != std::errc{} || of.ptr != end || shard.part < 1 || shard.part > shard.of) {
    throw InputError("", "--shard", fmt::format("'{}' is no part of a whole", text),
                     "write i/n with 1 <= i <= n, for example 2/4");
  }
  return shard;
}

std::string difference(const ordered_json& stored, const ordered_json& now, bool shards) {
  std::vector<std::string> found;
  const ordered_json a = decisive(stored, shards);
  const ordered_json b = decisive(now, shards);
  // The experiment's keys stand for themselves, and before what follows from them.
  if (a.contains("experiment") && b.contains("experiment")) {
    compare(a.at("experiment"), b.at("experiment"), "$", found);
  }
  for (const auto& [key, value] : b.items()) {
    if (key == "faults" && a.value(key, ordered_json()) != value) {
      found.push_back(fmt::format(
          "its faults are {} there and {} here (inject names the faults of all trials, sweep and "
          "compare those of plans with one upset)",
          a.value(key, std::string("unknown")), value.get<std::string>()));
      continue;
    }
    if (key != "experiment") compare(a.value(key, ordered_json()), value, key, found);
  }
  if (found.empty()) return "";
  const std::string more =
      found.size() > 1 ? fmt::format(" (the first of {} differences)", found.size()) : "";
  return found.front() + more;
}

Store::Store(const StoreOptions& options, const StoreHead& head)
    : path_(options.path), due_(kShortest) {
  guarded([&] {
    const bool there = !path_.empty() && std::filesystem::exists(path_);
    if (options.resume && !there) {
      throw InputError(path_, "", "there is no such file, so there is nothing to go on with",
                       "leave --resume out to begin, or name the folder of the run with -o");
    }
    if (!path_.empty()) {
      const auto folder = std::filesystem::path(path_).parent_path();
      std::error_code error;
      std::filesystem::create_directories(folder, error);
      if (error) {
        throw InputError(folder.string(), "", "cannot be made: " + error.message(),
                         kRemedyElsewhere);
      }
    }
    if (!path_.empty()) lock_ = std::make_unique<FileLock>(path_ + "-lock", path_);
    open(true);
    if (options.fresh && !is_empty()) {
      check_application();  // of another program nothing is deleted
      database_.reset();
      for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
      open(true);
    }
    if (is_empty()) {
      if (options.resume) {
        throw InputError(path_, "", "is empty, so there is nothing to go on with",
                         "leave --resume out to begin");
      }
      make(head);
    }
    check_is_ours();
    if (const std::string other = difference(meta(), head.meta, true); !other.empty()) {
      throw InputError(path_, "", "holds trials of another experiment: " + other,
                       std::string(kRemedyElsewhere) +
                           ", or start anew with --fresh, which deletes these trials");
    }
    SQLite::Statement update(*database_, "UPDATE meta SET value = ? WHERE key = ? AND value <> ?");
    for (const char* key : {"command", "file"}) {
      const auto value = head.meta.at(key).get<std::string>();
      update.bind(1, value);
      update.bind(2, key);
      update.bind(3, value);
      update.exec();
      update.reset();
    }
  });
}

Store::Store(const std::string& path) : path_(path) {
  guarded([&] {
    if (!std::filesystem::exists(path_)) {
      throw InputError(path_, "", "there is no such file",
                       "name a folder that sagitta inject, sweep or compare wrote with -o");
    }
    open(false);
    if (is_empty()) {
      throw InputError(path_, "", "holds nothing: its run ended before the first trial",
                       "run its command again, which goes on with it");
    }
    check_is_ours();
  });
}

Store::~Store() {
  put_clean_.reset();
  put_trial_.reset();
  put_fault_.reset();
  database_.reset();  // what is not committed is not kept
}

void Store::open(bool writes) {
  using SQLite::Database;
  constexpr int kWait = 5000;  // ms, for a reader that is in the way for a moment
  const int flags = SQLite::OPEN_READWRITE | (writes ? SQLite::OPEN_CREATE : 0) |
                    SQLite::OPEN_NOMUTEX;  // of one thread
  database_ = std::make_unique<Database>(path_, flags, kWait);
  database_->exec("PRAGMA cache_size = -65536");
  database_->exec("PRAGMA synchronous = NORMAL");  // enough in a WAL for what is committed
}

bool Store::is_empty() const {
  return database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
}

void Store::check_application() const {
  if (database_->execAndGet("PRAGMA application_id").getInt() != kApplication) {
    throw InputError(path_, "", "is a database, but not one of Sagitta's trials", kRemedyElsewhere);
  }
}

void Store::check_is_ours() const {
  check_application();
  const int schema = database_->execAndGet("PRAGMA user_version").getInt();
  if (schema == kSchema) return;
  throw InputError(path_, "",
                   fmt::format("has the tables of version {}, and this is a program for version {}",
                               schema, kSchema),
                   fmt::format("use the version of Sagitta that wrote it, start anew with --fresh, "
                               "which deletes its trials, or {}",
                               std::string(kRemedyElsewhere)));
}

// All in one transaction: a file is empty, or it has all of this.
void Store::make(const StoreHead& head) {
  begin();
  database_->exec(store_schema());
  const auto insert = [this](const std::string& table, const ordered_json& row) {
    std::string columns;
    for (const auto& [key, value] : row.items()) columns += (columns.empty() ? "" : ",") + key;
    SQLite::Statement statement(*database_, fmt::format("INSERT INTO {}({}) VALUES({})", table,
                                                        columns, places(row.size())));
    int at = 1;
    for (const auto& [key, value] : row.items()) bind_json(statement, at++, value);
    statement.exec();
  };
  for (const auto& [key, value] : head.meta.items())
    insert("meta", {{"key", key}, {"value", value}});
  for (const auto& [table, rows] : head.tables) {
    for (const ordered_json& row : rows) insert(table, row);
  }
  for (int i = 0; i < kOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    insert("outcome", {{"id", i},
                       {"name", to_string(outcome)},
                       {"is_masked", is_masked(outcome) ? 1 : 0},
                       {"is_sdc", is_sdc(outcome) ? 1 : 0}});
  }
  for (int i = 0; i < kRoads; ++i) {
    insert("road", {{"id", i}, {"name", to_string(static_cast<Road>(i))}});
  }
  database_->exec(fmt::format("PRAGMA application_id = {}", kApplication));
  database_->exec(fmt::format("PRAGMA user_version = {}", kSchema));
  commit();
}

void Store::begin() {
  if (in_transaction_) return;
  // A complete store is without one, so that it is one file.
  if (!has_wal_) database_->exec("PRAGMA journal_mode = WAL");
  has_wal_ = true;
  database_->exec("BEGIN IMMEDIATE");
  in_transaction_ = true;
  begun_ = Clock::now();
}

void Store::commit() {
  if (!in_transaction_) return;
  guarded([this] {
    in_transaction_ = false;
    const auto begin = Clock::now();
    database_->exec("COMMIT");
    due_ = std::clamp<Clock::duration>(kShare * (Clock::now() - begin), kShortest, kLongest);
  });
}

void Store::commit_if_due() {
  if (in_transaction_ && Clock::now() - begun_ >= due_) commit();
}

void Store::set_trials(int configuration, std::int64_t trials) {
  guarded([&] {
    begin();
    SQLite::Statement update(*database_, "UPDATE configuration SET trials = ? WHERE id = ?");
    update.bind(1, trials);
    update.bind(2, configuration);
    update.exec();
  });
  commit();
}

void Store::finish() {
  commit();
  if (path_.empty()) return;
  try {
    database_->exec("PRAGMA journal_mode = DELETE");
  } catch (const SQLite::Exception&) {
    // Somebody is reading: the file stays a pair, which holds the same.
  }
}

void Store::put(int plan, const CleanResult& clean) {
  guarded([&] {
    begin();
    if (!put_clean_) {
      std::string columns;
      std::size_t count = 3;  // plan, logits, counters
      each_clean_number(clean, [&](const char* name, const auto&) {
        columns += fmt::format("{}, ", name);
        ++count;
      });
      put_clean_ = std::make_unique<SQLite::Statement>(
          *database_,
          fmt::format("INSERT OR IGNORE INTO clean(plan, {}logits, counters) VALUES({})", columns,
                      places(count)));
    }
    int at = 1;
    bind_number(*put_clean_, at, plan);
    each_clean_number(clean,
                      [&](const char*, const auto& value) { bind_number(*put_clean_, at, value); });
    put_clean_->bind(at++, clean.logits.data(), static_cast<int>(clean.logits.size()));
    put_clean_->bind(at, clean.counters.data(),
                     static_cast<int>(clean.counters.size() * sizeof(LayerCounters)));
    put_clean_->exec();
    put_clean_->reset();
  });
  commit_if_due();
}

void Store::put(int configuration, const TrialResult& trial) {
  guarded([&] {
    begin();
    if (!put_trial_) {
      std::string columns = "configuration";
      std::size_t count = 1;
      each_number(trial, [&](const char* name, const auto&) {
        columns += fmt::format(", {}", name);
        ++count;
      });
      put_trial_ = std::make_unique<SQLite::Statement>(
          *database_,
          fmt::format("INSERT OR IGNORE INTO trial({}) VALUES({})", columns, places(count)));
    }
    int at = 1;
    bind_number(*put_trial_, at, configuration);
    each_number(trial,
                [&](const char*, const auto& value) { bind_number(*put_trial_, at, value); });
    put_trial_->exec();
    put_trial_->reset();
    put_faults(configuration, trial);
  });
  commit_if_due();
}

// Registers first, as they struck or were given; then weights, then neurons in real numbers.
void Store::put_faults(int configuration, const TrialResult& trial) {
  if (!put_fault_) {
    put_fault_ = std::make_unique<SQLite::Statement>(
        *database_,
        "INSERT OR IGNORE INTO fault(configuration, trial, ordinal, level, place, element, lane, "
        "bit, kind, cycle, last, fired, resisted, before, after) VALUES(" +
            places(15) + ")");
  }
  SQLite::Statement& s = *put_fault_;
  int ordinal = 0;
  const auto put_one = [&](const char* level, int place, std::int64_t element, int bit, bool fired,
                           FaultKind kind = FaultKind::flip) {
    s.bind(1, configuration);
    s.bind(2, trial.trial);
    s.bind(3, ordinal++);
    s.bindNoCopy(4, level);
    s.bind(5, place);
    s.bind(6, element);
    s.bind(8, bit);
    s.bindNoCopy(9, to_string(kind));
    s.bind(12, fired ? 1 : 0);
  };
  const auto done = [&s] {
    s.exec();
    s.reset();
    s.clearBindings();
  };
  for (const FaultRecord& f : trial.faults) {
    put_one("register", f.site.register_class, f.site.element, f.site.bit, f.fired, f.kind);
    s.bind(10, f.cycle);
    if (f.kind != FaultKind::flip && f.last != kToTheEnd) s.bind(11, f.last);
    s.bind(13, f.resisted ? 1 : 0);
    s.bind(14, f.before);
    s.bind(15, f.after);
    done();
  }
  for (const WeightRecord& w : trial.weights) {
    put_one("weight", w.fault.layer, w.fault.k, w.fault.bit, w.fired);
    s.bind(7, w.fault.n);
    s.bind(13, 0);
    s.bind(14, w.before);
    s.bind(15, w.after);
    done();
  }
  for (const FloatRecord& n : trial.floats) {
    put_one("neuron", n.fault.layer, n.fault.element, n.fault.bit, n.fired);
    s.bind(13, 0);
    bind_float(s, 14, n.before);
    bind_float(s, 15, n.after);
    done();
  }
}

void Store::add(const Store& part) {
  guarded([&] {
    SQLite::Statement attach(*database_, "ATTACH ? AS part");
    attach.bind(1, part.path());
    attach.exec();
    begin();
    for (const char* table :
         {"configuration", "stratum", "register", "layer", "clean", "trial", "fault"}) {
      database_->exec(fmt::format("INSERT OR IGNORE INTO main.{0} SELECT * FROM part.{0}", table));
    }
    commit();
    database_->exec("DETACH part");
  });
}

}  // namespace sagitta
