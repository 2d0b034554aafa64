// The tables and views of a store: docs/store.md says what their columns mean.
#include <string>

#include <fmt/format.h>

#include "campaign/store.h"
#include "campaign/trial_fields.h"

namespace sagitta {
namespace {

// Of names a CHECK has OR, not IN, of whose list SQLite would make a table for each row.
constexpr const char* kTables = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE configuration (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, plan INTEGER NOT NULL, array TEXT NOT NULL,
  scheme TEXT NOT NULL, level TEXT NOT NULL, model TEXT NOT NULL, rate REAL, value_kind TEXT, upsets INTEGER,
  sites TEXT, population TEXT, sample TEXT NOT NULL, pilots INTEGER NOT NULL,
  seed INTEGER NOT NULL, trials INTEGER NOT NULL, machine_digest TEXT NOT NULL);
CREATE TABLE stratum (
  configuration INTEGER, id INTEGER, name TEXT NOT NULL, population REAL NOT NULL,
  weight REAL NOT NULL, probability REAL NOT NULL,
  PRIMARY KEY (configuration, id)) WITHOUT ROWID;
CREATE TABLE register (
  plan INTEGER, id INTEGER, path TEXT NOT NULL, block TEXT NOT NULL, extents TEXT NOT NULL,
  width INTEGER NOT NULL, bits INTEGER NOT NULL, pe_columns INTEGER, pe_copies INTEGER,
  PRIMARY KEY (plan, id)) WITHOUT ROWID;
CREATE TABLE layer (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, width INTEGER NOT NULL, channels INTEGER NOT NULL);
CREATE TABLE outcome (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, is_masked INTEGER NOT NULL, is_sdc INTEGER NOT NULL);
CREATE TABLE road (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE clean (
  plan INTEGER, {clean} logits BLOB, counters BLOB, PRIMARY KEY (plan, image),
  CHECK (plan >= 0 AND image >= 0)) WITHOUT ROWID;
CREATE TABLE trial (
  configuration INTEGER, {trial} PRIMARY KEY (configuration, trial),
  CHECK (trial >= 0 AND image >= 0 AND outcome BETWEEN 0 AND {outcomes} AND
         road BETWEEN 0 AND {roads} AND stratum >= 0 AND weight > 0)) WITHOUT ROWID;
CREATE TABLE fault (
  configuration INTEGER, trial INTEGER, ordinal INTEGER, level TEXT NOT NULL,
  place INTEGER NOT NULL, element INTEGER NOT NULL, lane INTEGER, bit INTEGER NOT NULL,
  kind TEXT NOT NULL, cycle INTEGER, last INTEGER, fired INTEGER NOT NULL, resisted INTEGER NOT NULL, before, after,
  PRIMARY KEY (configuration, trial, ordinal),
  CHECK (place >= 0 AND element >= 0 AND bit BETWEEN 0 AND 63 AND
         (level = 'register' OR level = 'weight' OR level = 'neuron') AND
         (kind = 'flip' OR kind = 'stuck0' OR kind = 'stuck1'))) WITHOUT ROWID;
)sql";

// z of a 95 % interval stands in `wilson`, in the same double as in the program's own.
constexpr const char* kViews = R"sql(
CREATE VIEW trials AS
  SELECT c.name, c.scheme, c.seed, o.name AS outcome_name, o.is_masked, o.is_sdc,
         l.name AS layer_name, t.*
  FROM trial t JOIN configuration c ON c.id = t.configuration JOIN outcome o ON o.id = t.outcome
       LEFT JOIN layer l ON l.id = t.layer;
CREATE VIEW outcomes AS
  SELECT c.id AS configuration, c.name, o.name AS outcome, sum(t.weight) AS trials
  FROM trial t JOIN configuration c ON c.id = t.configuration AND t.trial >= c.pilots
       JOIN outcome o ON o.id = t.outcome
  GROUP BY c.id, o.id;
CREATE VIEW strata AS
  SELECT c.id AS configuration, c.name, s.id AS stratum, s.name AS stratum_name, s.weight,
         sum(t.weight) AS trials, sum(t.weight * o.is_sdc) AS sdc
  FROM stratum s JOIN configuration c ON c.id = s.configuration
       JOIN trial t ON t.configuration = c.id AND t.stratum = s.id AND t.trial >= c.pilots
       JOIN outcome o ON o.id = t.outcome
  GROUP BY c.id, s.id;
CREATE VIEW roads AS
  SELECT c.id AS configuration, c.name, r.name AS road, count(*) AS trials
  FROM trial t JOIN configuration c ON c.id = t.configuration AND t.trial >= c.pilots
       JOIN road r ON r.id = t.road
  GROUP BY c.id, r.id;
CREATE VIEW sdc AS
  WITH counts AS (SELECT t.configuration, count(*) AS n, sum(o.is_sdc) AS k, 1.0 * sum(o.is_sdc) / count(*) AS p,
                         1.959963984540054 * 1.959963984540054 AS zz
                  FROM trial t JOIN outcome o ON o.id = t.outcome
                       JOIN configuration c ON c.id = t.configuration AND c.sample = 'uniform' GROUP BY t.configuration)
  SELECT c.id AS configuration, c.name, n AS trials, k AS sdc, p AS rate,
         max(0, (p + zz / (2 * n) - sqrt(zz * (p * (1 - p) + zz / (4 * n)) / n)) / (1 + zz / n)) AS low,
         min(1, (p + zz / (2 * n) + sqrt(zz * (p * (1 - p) + zz / (4 * n)) / n)) / (1 + zz / n)) AS high
  FROM counts JOIN configuration c ON c.id = counts.configuration;
CREATE VIEW single_upset AS
  SELECT t.configuration, t.trial, t.weight, t.layer, t.outcome, r.path AS register, r.block, f.bit, f.element,
         f.element / r.pe_copies / r.pe_columns AS pe_row, f.element / r.pe_copies % r.pe_columns AS pe_col
  FROM trial t JOIN configuration c ON c.id = t.configuration AND t.trial >= c.pilots
       JOIN fault f ON f.configuration = t.configuration AND f.trial = t.trial
       JOIN register r ON r.plan = c.plan AND r.id = f.place
  WHERE c.upsets = 1 AND c.model <> 'mbu' AND t.faults_drawn = 1 AND f.fired = 1 AND f.level = 'register';
)sql";

constexpr const char* kEnds = R"sql(
CREATE VIEW {view} AS
  SELECT c.id AS configuration, c.name, {columns}, sum(weight) AS trials,
         sum(weight * o.is_masked) AS masked, sum(weight * (o.name = 'masked_idle')) AS idle,
         sum(weight * (o.name = 'detected_corrected')) AS corrected,
         sum(weight * (o.name = 'tolerable')) AS tolerable, sum(weight * o.is_sdc) AS sdc,
         sum(weight * (o.name = 'hang')) AS hang,
         sum(weight * (o.name = 'detected_uncorrected')) AS uncorrected
  FROM single_upset u JOIN configuration c ON c.id = u.configuration
       JOIN outcome o ON o.id = u.outcome LEFT JOIN layer l ON l.id = u.layer
  {where} GROUP BY c.id, {groups};
)sql";

// `columns` and the same as `groups`: what was struck, or where.
std::string ends(const char* view, const char* columns, const char* groups,
                 const char* where = "") {
  return fmt::format(fmt::runtime(kEnds), fmt::arg("view", view), fmt::arg("columns", columns),
                     fmt::arg("groups", groups), fmt::arg("where", where));
}

}  // namespace

std::string store_schema() {
  std::string clean, trial;
  const auto add = [](std::string& columns) {
    return [&columns](const char* name, const auto&) {
      columns += fmt::format("{} INTEGER NOT NULL, ", name);
    };
  };
  const CleanResult no_run;
  const TrialResult no_trial;
  each_clean_number(no_run, add(clean));
  each_number(no_trial, add(trial));
  std::string text =
      fmt::format(fmt::runtime(kTables), fmt::arg("clean", clean), fmt::arg("trial", trial),
                  fmt::arg("outcomes", kOutcomes - 1), fmt::arg("roads", kRoads - 1)) +
      kViews;
  text += ends("by_block", "u.block", "u.block");
  text += ends("by_register", "u.block, u.register", "u.register");
  text += ends("by_bit", "u.register, u.bit", "u.register, u.bit");
  text += ends("by_layer", "l.name AS layer", "u.layer");
  text += ends("by_pe", "u.pe_row, u.pe_col", "u.pe_row, u.pe_col", "WHERE u.pe_row IS NOT NULL");
  return text;
}

}  // namespace sagitta
