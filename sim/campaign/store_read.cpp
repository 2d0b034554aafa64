#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "base/error.h"
#include "campaign/store.h"
#include "campaign/store_guard.h"
#include "campaign/trial_fields.h"

namespace sagitta {
namespace {

// "trial, image, ..." of a result's numbers.
template <typename Each>
std::string columns(Each each) {
  std::string text;
  each([&](const char* name, const auto&) {
    text += (text.empty() ? "" : ", ") + std::string(name);
  });
  return text;
}

// The numbers of a row, in the order of `columns`; returns the next column.
auto reader(SQLite::Statement& row, int& at) {
  return [&row, &at](const char*, auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(row.getColumn(at++).getInt64());
  };
}

template <typename T>
std::vector<T> blob(const SQLite::Column& column) {
  std::vector<T> values(static_cast<std::size_t>(column.size()) / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), column.getBlob(), values.size() * sizeof(T));
  return values;
}

float read_float(const SQLite::Column& column) {
  if (!column.isText()) return static_cast<float>(column.getDouble());
  const float sign = column.getString() == "-nan" ? -1.0F : 1.0F;
  return std::copysign(std::numeric_limits<float>::quiet_NaN(), sign);
}

FaultKind read_kind(const std::string& name) {
  for (const FaultKind kind : {FaultKind::stuck0, FaultKind::stuck1}) {
    if (name == to_string(kind)) return kind;
  }
  return FaultKind::flip;
}

// The faults of one configuration, in the order of trials.
class FaultRows {
 public:
  FaultRows(SQLite::Database& database, int configuration, std::int64_t first)
      : row_(database,
             "SELECT trial, level, place, element, lane, bit, cycle, fired, resisted, before, "
             "after, kind, last FROM fault WHERE configuration = ? AND trial >= ? "
             "ORDER BY trial, ordinal") {
    row_.bind(1, configuration);
    row_.bind(2, first);
    more_ = row_.executeStep();
  }
  // Those of trial `t`; trials are asked for in ascending order.
  void take(TrialResult& t) {
    for (; more_ && row_.getColumn(0).getInt64() <= t.trial; more_ = row_.executeStep()) {
      if (row_.getColumn(0).getInt64() == t.trial) take_row(t);
    }
  }

 private:
  int number(int column) const { return row_.getColumn(column).getInt(); }
  void take_row(TrialResult& t) const {
    const std::string level = row_.getColumn(1).getText();
    const bool fired = number(7) != 0;
    const FaultKind kind = read_kind(row_.getColumn(11).getText());
    if (level == "register") {
      t.faults.push_back({{number(2), row_.getColumn(3).getInt64(), number(5)},
                          row_.getColumn(6).getInt64(),
                          fired,
                          row_.getColumn(9).getInt64(),
                          row_.getColumn(10).getInt64(),
                          number(8) != 0,
                          kind,
                          kind == FaultKind::flip       ? -1
                          : row_.getColumn(12).isNull() ? kToTheEnd
                                                        : row_.getColumn(12).getInt64()});
    } else if (level == "weight") {
      t.weights.push_back(
          {{number(2), number(3), number(4), number(5)}, fired, number(9), number(10)});
    } else {
      t.floats.push_back({{number(2), number(3), number(5)},
                          fired,
                          read_float(row_.getColumn(9)),
                          read_float(row_.getColumn(10))});
    }
  }

  mutable SQLite::Statement row_;
  bool more_ = false;
};

}  // namespace

void Store::fail(const std::exception& error) const {
  const auto* sqlite = dynamic_cast<const SQLite::Exception*>(&error);
  const int code = sqlite == nullptr ? 0 : sqlite->getErrorCode() & 0xff;
  const std::string name = path_.empty() ? "the temporary file of trials" : path_;
  switch (code) {
    case SQLITE_NOTADB:
      throw InputError(name, "", "is not a database", "give another folder with -o");
    case SQLITE_CORRUPT:
      throw InputError(name, "", std::string("is damaged: ") + error.what(),
                       "remove it to start anew, or give another folder with -o");
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw InputError(name, "", std::string("cannot be opened: ") + error.what(),
                       "check that it is a file, and that you may write file and folder (readers "
                       "keep a lock beside it), or give another folder");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw InputError(name, "", "another program holds it locked", "close that, and try again");
    case SQLITE_FULL:
    case SQLITE_IOERR:
      // The work failed, not the input.
      throw std::runtime_error(
          InputError(name, "", std::string("cannot be written: ") + error.what(),
                     "make room on the disk and run the same command again: what was "
                     "committed is kept, and it goes on from there")
              .what());
    default:
      throw std::runtime_error(fmt::format("{}: {}", name, error.what()));
  }
}

nlohmann::ordered_json Store::meta() const {
  return guarded([this] {
    nlohmann::ordered_json meta = nlohmann::ordered_json::object();
    SQLite::Statement row(*database_, "SELECT key, value FROM meta");
    while (row.executeStep()) {
      const std::string key = row.getColumn(0).getText();
      const std::string value = row.getColumn(1).getText();
      meta[key] = key == "experiment" ? nlohmann::ordered_json::parse(value, nullptr, false)
                                      : nlohmann::ordered_json(value);
    }
    for (const char* key : {"version", "commit", "command", "engine", "file", "experiment",
                            "network", "faults", "shard"}) {
      const auto found = meta.find(key);
      if (found != meta.end() && (found->is_string() || found->is_object())) continue;
      throw InputError(path_, "",
                       fmt::format("its table meta has no {}'{}': it was changed by hand",
                                   meta.contains(key) ? "valid " : "", key),
                       "take the file from a copy, or start anew with --fresh");
    }
    return meta;
  });
}

std::vector<bool> Store::trials_in(int configuration, std::int64_t first, std::int64_t end) const {
  return guarded([&] {
    std::vector<bool> there(static_cast<std::size_t>(std::max<std::int64_t>(0, end - first)));
    SQLite::Statement row(
        *database_, "SELECT trial FROM trial WHERE configuration = ? AND trial >= ? AND trial < ?");
    row.bind(1, configuration);
    row.bind(2, first);
    row.bind(3, end);
    while (row.executeStep()) {
      there[static_cast<std::size_t>(row.getColumn(0).getInt64() - first)] = true;
    }
    return there;
  });
}

std::vector<bool> Store::images_in(int plan, std::int64_t images) const {
  return guarded([&] {
    std::vector<bool> there(static_cast<std::size_t>(images));
    SQLite::Statement row(*database_,
                          "SELECT image FROM clean WHERE plan = ? AND image >= 0 AND image < ?");
    row.bind(1, plan);
    row.bind(2, images);
    while (row.executeStep()) there[static_cast<std::size_t>(row.getColumn(0).getInt64())] = true;
    return there;
  });
}

std::int64_t Store::trials() const {
  return guarded([this] { return database_->execAndGet("SELECT count(*) FROM trial").getInt64(); });
}

// These sums are taken here, not by GROUP BY, for which SQLite would sort all rows first.
std::vector<OutcomeSums> Store::sums_of_strata(int configuration, std::int64_t first,
                                               std::int64_t end, std::size_t strata) const {
  return guarded([&] {
    std::vector<OutcomeSums> sums(strata);
    SQLite::Statement row(*database_,
                          "SELECT stratum, outcome, weight, correct, reference_correct FROM trial "
                          "WHERE configuration = ? AND trial >= ? AND trial < ?");
    row.bind(1, configuration);
    row.bind(2, first);
    row.bind(3, end);
    while (row.executeStep()) {
      const auto value = [&row](int column) { return row.getColumn(column).getInt64(); };
      OutcomeSums& s = sums.at(static_cast<std::size_t>(value(0)));
      const std::int64_t weight = value(2);
      s.outcomes.at(static_cast<std::size_t>(value(1))) += weight;
      s.trials += weight;
      s.correct += weight * value(3);
      s.reference_correct += weight * value(4);
    }
    return sums;
  });
}

std::vector<Cluster> Store::sdc_by_image(int configuration) const {
  return guarded([&] {
    std::map<std::int64_t, Cluster> of_images;
    SQLite::Statement row(*database_, "SELECT image, outcome FROM trial WHERE configuration = ?");
    row.bind(1, configuration);
    while (row.executeStep()) {
      Cluster& cluster = of_images[row.getColumn(0).getInt64()];
      cluster.count += is_sdc(static_cast<Outcome>(row.getColumn(1).getInt())) ? 1 : 0;
      ++cluster.n;
    }
    std::vector<Cluster> clusters;
    clusters.reserve(of_images.size());
    for (const auto& [image, cluster] : of_images) clusters.push_back(cluster);
    return clusters;
  });
}

TrialSums Store::sums(int configuration, std::int64_t first) const {
  return guarded([&] {
    TrialSums sums;
    SQLite::Statement row(*database_,
                          "SELECT outcome, road, weight, correct, reference_correct, "
                          "suppressed_right, suppressed_wrong, faults_drawn, faults_fired "
                          "FROM trial WHERE configuration = ? AND trial >= ?");
    row.bind(1, configuration);
    row.bind(2, first);
    while (row.executeStep()) {
      const auto value = [&row](int column) { return row.getColumn(column).getInt64(); };
      const std::int64_t weight = value(2);
      sums.outcomes.at(static_cast<std::size_t>(value(0))) += weight;
      ++sums.roads.at(static_cast<std::size_t>(value(1)));
      ++sums.runs;
      sums.trials += weight;
      sums.correct += weight * value(3);
      sums.reference_correct += weight * value(4);
      sums.suppressed_right += weight * value(5);
      sums.suppressed_wrong += weight * value(6);
      sums.drawn += weight * value(7);
      sums.fired += weight * value(8);
    }
    return sums;
  });
}

std::pair<std::int64_t, std::int64_t> Store::discordant(int first, int second) const {
  return guarded([&] {
    SQLite::Statement row(
        *database_,
        "SELECT total(a.correct > b.correct), total(a.correct < b.correct) FROM trial a "
        "JOIN trial b ON b.configuration = ? AND b.trial = a.trial WHERE a.configuration = ?");
    row.bind(1, second);
    row.bind(2, first);
    row.executeStep();
    return std::pair(row.getColumn(0).getInt64(), row.getColumn(1).getInt64());
  });
}

void Store::each_clean(int plan, const std::function<void(const CleanResult&)>& visit) const {
  guarded([&] {
    CleanResult clean;
    const std::string numbers = columns([&](auto&& add) { each_clean_number(clean, add); });
    SQLite::Statement row(
        *database_,
        fmt::format("SELECT {}, logits, counters FROM clean WHERE plan = ? ORDER BY image",
                    numbers));
    row.bind(1, plan);
    while (row.executeStep()) {
      int at = 0;
      each_clean_number(clean, reader(row, at));
      clean.logits = blob<std::int8_t>(row.getColumn(at));
      clean.counters = blob<LayerCounters>(row.getColumn(at + 1));
      visit(clean);
    }
  });
}

void Store::each_trial(int configuration,
                       const std::function<void(const TrialResult&)>& visit) const {
  visit_trials(configuration, 0, INT64_MAX, visit);
}

std::optional<TrialResult> Store::find_trial(int configuration, std::int64_t trial) const {
  std::optional<TrialResult> found;
  visit_trials(configuration, trial, trial, [&](const TrialResult& t) { found = t; });
  return found;
}

void Store::visit_trials(int configuration, std::int64_t first, std::int64_t last,
                         const std::function<void(const TrialResult&)>& visit) const {
  guarded([&] {
    TrialResult trial;
    const std::string numbers = columns([&](auto&& add) { each_number(trial, add); });
    SQLite::Statement row(
        *database_,
        fmt::format("SELECT {} FROM trial WHERE configuration = ? AND trial BETWEEN ? AND ? "
                    "ORDER BY trial",
                    numbers));
    row.bind(1, configuration);
    row.bind(2, first);
    row.bind(3, last);
    FaultRows faults(*database_, configuration, first);
    while (row.executeStep()) {
      int at = 0;
      each_number(trial, reader(row, at));
      trial.faults.clear();
      trial.weights.clear();
      trial.floats.clear();
      faults.take(trial);
      visit(trial);
    }
  });
}

}  // namespace sagitta
