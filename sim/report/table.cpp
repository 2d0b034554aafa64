#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "campaign/dataflows.h"
#include "report/memory_report.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

// Terminal cells of a UTF-8 string: its code points (no wide characters are used here).
std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string percent(double value) {
  return fmt::format("{:.1f}", 100 * value);
}

std::string with_interval(const ordered_json& p) {
  return fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * p.at("value").get<double>(),
                     100 * p.at("low").get<double>(), 100 * p.at("high").get<double>());
}

// Of a study in software there is none.
std::string overhead(const ordered_json& overheads, const char* key) {
  if (overheads.at(key).is_null()) return "-";
  const auto value = overheads.at(key).get<double>();
  return std::abs(value) < 5e-5 ? "0" : fmt::format("{:+.1f}", 100 * value);
}

std::string scientific(double value) {
  return fmt::format("{:.1e}", value);
}

double accuracy(const ordered_json& c) {
  return c.at("accuracy_under_faults").at("value").get<double>();
}

// What the rows of a group have in common: the array and the whole fault plan. What a scheme's own
// size decides (bits, cycles) is not part of the plan.
std::string group_of(const ordered_json& c) {
  ordered_json plan = c.at("fault");
  for (const char* key : {"bits", "cycles", "bits_x_cycles"}) plan.erase(key);
  // Where the sample says how many trials there are, they may differ.
  const std::string trials =
      plan.value("sample", ordered_json()).is_null() ? c.at("trials").dump() : "";
  return array_name(c.at("array")) + " " + plan.dump() + " " + trials;
}

// In software, of no machine.
bool is_study(const ordered_json& c) {
  return c.contains("study");
}

bool is_replay(const ordered_json& c) {
  return !c.at("fault").at("list").get<std::string>().empty();
}

bool of_registers(const ordered_json& fault) {
  return fault.at("level") == "register";
}

// Of a plan or a pair: "int8 neurons", "weights".
std::string elements_of(const ordered_json& fault) {
  const std::string elements = fault.at("level").get<std::string>() + "s";
  return fault.at("level") == "neuron" ? fault.at("values").get<std::string>() + " " + elements
                                       : elements;
}

std::string rate_of(const ordered_json& fault) {
  if (fault.at("rate").is_null()) return "-";  // of a list
  return fmt::format("{:g}", fault.at("rate").get<double>());
}

// Neurons and weights have rates, and so has one model of registers.
bool has_rate(const ordered_json& fault) {
  return !of_registers(fault) || fault.at("model") == "rate";
}

// How many of what, of a plan or a pair: "64", "64 stuck-at-0", or its rate; "-" of a list.
std::string upsets_of(const ordered_json& fault) {
  if (has_rate(fault)) return rate_of(fault);
  if (fault.at("upsets").is_null()) return "-";
  const std::string upsets = fault.at("upsets").dump();
  return fault.at("model") == "seu" ? upsets : upsets + " " + fault.at("model").get<std::string>();
}

// The plan in a few words: "logic", "logic (common)", "int8 neurons", or the list's file name.
std::string sites_of(const ordered_json& c) {
  const auto& f = c.at("fault");
  if (is_replay(c)) {
    const std::string list = f.at("list").get<std::string>();
    return list.substr(list.rfind('/') + 1);
  }
  if (!of_registers(f)) return elements_of(f);
  const bool common = f.at("population") == "common";
  return f.at("sites").get<std::string>() + (common ? " (common)" : "");
}

}  // namespace

Table::Table(std::vector<std::string> header, std::vector<bool> left)
    : header_(std::move(header)), left_(std::move(left)) {}

void Table::add(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
}
void Table::rule() {
  rows_.emplace_back();
}

std::string Table::text(bool colour) const {
  std::vector<std::size_t> widths;
  for (const std::string& h : header_) widths.push_back(display_width(h));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - display_width(cells[i]), ' ');
      if (i > 0) out += "  ";
      out += left_[i] ? cells[i] + pad : pad + cells[i];
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
  };
  std::size_t total = 0;
  for (const std::size_t w : widths) total += w + 2;
  const std::string bar(total - 2, '-');
  std::string out = colour ? "\033[1m" + line(header_) + "\033[0m" : line(header_);
  out += bar + "\n";
  for (const auto& row : rows_) out += row.empty() ? bar + "\n" : line(row);
  return out;
}

std::string heading(const std::string& figure, const char* of, int batch) {
  return batch == 1 ? figure : figure + "/" + of;
}

std::string clean_table(const ordered_json& results, bool colour) {
  // An experiment has one batch for all of its machines.
  const int batch = results.at("configurations").at(0).value("batch", 1);
  Table table(
      {"array", "scheme", "accuracy % [95 %]", "false alarms %", heading("cycles", "image", batch),
       heading("stalls", "image", batch), "util %", heading("latency us", "pass", batch),
       "area mm2", heading("energy uJ", "image", batch), "area %", "energy %", "cycles %"},
      {true, true, false, false, false, false, false, false, false, false, false, false, false});
  for (const auto& c : results.at("configurations")) {
    const auto& o = c.at("overhead");
    table.add({array_name(c.at("array")), c.at("scheme").get<std::string>(),
               with_interval(c.at("accuracy")),
               percent(c.at("false_alarms").at("images").at("value").get<double>()),
               fmt::format("{:.0f}", c.at("cycles_per_image").get<double>()),
               fmt::format("{:.0f}", c.at("stall_cycles_per_image").get<double>()),
               percent(c.at("utilization").get<double>()),
               fmt::format("{:.1f}", c.at("latency_us").get<double>()),
               fmt::format("{:.3f}", c.at("area_um2").get<double>() / 1e6),
               fmt::format("{:.2f}", c.at("energy_pj_per_image").get<double>() / 1e6),
               overhead(o, "area"), overhead(o, "energy"), overhead(o, "cycles")});
  }
  return table.text(colour) + memory_notes(results.at("configurations"));
}

// "upsets", or what the column holds where plans have rates.
template <typename FaultOf>
std::string upsets_heading(const ordered_json& rows, const FaultOf& fault_of) {
  const auto by_rate = std::count_if(
      rows.begin(), rows.end(), [&](const ordered_json& row) { return has_rate(fault_of(row)); });
  if (by_rate == 0) return "upsets";
  return by_rate == static_cast<std::ptrdiff_t>(rows.size()) ? "rate" : "upsets, rate";
}

std::string fault_table(const ordered_json& results, bool colour) {
  const std::string upsets =
      upsets_heading(results.at("configurations"),
                     [](const ordered_json& c) -> const ordered_json& { return c.at("fault"); });
  const auto value = [](const ordered_json& c, const char* key) {
    return c.at(key).at("value").get<double>();
  };
  // A column of its own where a machine has told that its result is wrong.
  const auto& configurations = results.at("configurations");
  const bool told = std::any_of(configurations.begin(), configurations.end(),
                                [&](const auto& c) { return value(c, "uncorrected_rate") > 0; });
  // ... and where trials had no fault, or none before their run ended.
  const bool spared = std::any_of(configurations.begin(), configurations.end(),
                                  [&](const auto& c) { return value(c, "not_fired_rate") > 0; });
  const bool study = std::any_of(configurations.begin(), configurations.end(),
                                 [](const auto& c) { return is_study(c); });
  std::vector<std::string> header = {
      "array",         "sites",  upsets,      "scheme",    "clean", "under faults [95 %]",
      "SDC [95 %]",    "masked", "corrected", "tolerable", "hang",  "alarms",
      "bits x cycles", "area",   "energy",    "cycles"};
  std::vector<bool> left = {true,  true,  false, true,  false, false, false, false,
                            false, false, false, false, false, false, false, false};
  constexpr std::ptrdiff_t kTold = 9;     // behind "corrected"
  constexpr std::ptrdiff_t kSpared = 11;  // behind "hang"
  if (spared) {
    header.insert(header.begin() + kSpared, "not fired");
    left.insert(left.begin() + kSpared, false);
  }
  if (told) {
    header.insert(header.begin() + kTold, "uncorrected");
    left.insert(left.begin() + kTold, false);
  }
  Table table(header, left);
  // Schemes that face the same faults stand together, whatever the order of the experiment.
  std::vector<std::pair<std::string, std::vector<const ordered_json*>>> groups;
  for (const auto& c : results.at("configurations")) {
    const std::string group = group_of(c);
    auto it =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == group; });
    if (it == groups.end()) it = groups.insert(groups.end(), {group, {}});
    it->second.push_back(&c);
  }
  std::vector<const ordered_json*> rows;
  for (const auto& [name, members] : groups) {
    if (!rows.empty()) rows.push_back(nullptr);  // a rule
    rows.insert(rows.end(), members.begin(), members.end());
  }
  for (const ordered_json* row : rows) {
    if (row == nullptr) {
      table.rule();
      continue;
    }
    const ordered_json& c = *row;
    const auto& f = c.at("fault");
    const auto& o = c.at("overhead");
    std::vector<std::string> cells{
        array_name(c.at("array")),
        sites_of(c),
        upsets_of(f),
        c.at("scheme").get<std::string>(),
        percent(value(c, "accuracy_fault_free_same_draws")),
        with_interval(c.at("accuracy_under_faults")),
        with_interval(c.at("sdc_rate")),
        percent(value(c, "masked_rate")),
        percent(value(c, "detected_rate") - value(c, "uncorrected_rate")),
        percent(value(c, "tolerable_rate")),
        percent(value(c, "hang_rate")),
        percent(c.at("false_alarms").at("images").at("value").get<double>()),
        f.at("bits_x_cycles").is_null() ? "-" : scientific(f.at("bits_x_cycles").get<double>()),
        overhead(o, "area"),
        overhead(o, "energy"),
        overhead(o, "cycles")};
    if (spared) cells.insert(cells.begin() + kSpared, percent(value(c, "not_fired_rate")));
    if (told) cells.insert(cells.begin() + kTold, percent(value(c, "uncorrected_rate")));
    table.add(cells);
  }
  return table.text(colour) +
         "In %. clean and under faults: accuracy without and with faults, on the same draws. "
         "Trials end in SDC\n"
         "(wrong class), masked (equal logits), corrected (equal logits after a detector or "
         "checker acted),\n"
         "tolerable (other logits, same class) or hang. alarms: images with a false alarm, "
         "fault-free. area,\n"
         "energy, cycles: overhead against none.\n" +
         (told ? "uncorrected: the machine told that the result is wrong.\n" : "") +
         (spared ? "not fired: trials without a fault that changed a bit before the run ended.\n"
                 : "") +
         (study
              ? "fp32 neurons: a study in software, which has neither area nor energy nor cycles.\n"
              : "");
}

std::string sample_notes(const ordered_json& results) {
  std::vector<std::string> notes;
  for (const auto& c : results.at("configurations")) {
    if (c.at("fault").value("sample", ordered_json()).is_null()) continue;
    const auto& s = c.at("sample");
    std::string note = fmt::format("{} sample: {} trials", s.at("method").get<std::string>(),
                                   c.at("trials").get<std::int64_t>());
    if (s.at("strata").get<int>() > 1) note += fmt::format(" in {} strata", s.at("strata").dump());
    if (s.at("pilot_trials") != 0) {
      note += fmt::format(" after {} that allocated them", s.at("pilot_trials").dump());
    }
    if (s.at("runs") != c.at("trials")) note += fmt::format(", run as {}", s.at("runs").dump());
    if (!s.at("population").is_null()) {
      note += fmt::format(" of {:.2e} faults", s.at("population").get<double>());
    }
    if (!s.at("effective_size").is_null()) {
      note += fmt::format(", worth {:.0f} uniform ones in an average",
                          s.at("effective_size").get<double>());
    }
    note += fmt::format("; {} plan; interval: {}.", s.at("plan").get<std::string>(),
                        s.at("interval").get<std::string>());
    notes.push_back(c.at("name").get<std::string>() + ", " + note + "\n");
  }
  std::string text;
  for (const std::string& note : notes) text += note;
  return text;
}

std::string vulnerability_table(const ordered_json& results, bool colour) {
  Table table({"array", "sites", "scheme", "AVF % [95 %]", "of those in use", "SDC", "hang",
               "uncorrected", "N x p [95 %]", "FIT [95 %]"},
              {true, true, true, false, false, false, false, false, false, false});
  bool any = false;
  const auto figure = [](const ordered_json& f) {
    return fmt::format("{:.3g} [{:.3g}, {:.3g}]", f.at("value").get<double>(),
                       f.at("low").get<double>(), f.at("high").get<double>());
  };
  for (const auto& c : results.at("configurations")) {
    if (!c.contains("absolute_failures")) continue;
    any = true;
    const auto& avf = c.at("avf");
    const auto share = [&avf](const char* key) {
      return fmt::format("{:.2f}", 100 * avf.at(key).at("value").get<double>());
    };
    const auto& all = avf.at("any");
    table.add({array_name(c.at("array")), sites_of(c), c.at("scheme").get<std::string>(),
               fmt::format("{} [{:.2f}, {:.2f}]", share("any"), 100 * all.at("low").get<double>(),
                           100 * all.at("high").get<double>()),
               share("active"), share("sdc"), share("hang"), share("detected_uncorrected"),
               figure(c.at("absolute_failures").at("any")),
               c.at("fit").is_null() ? "-" : figure(c.at("fit"))});
  }
  if (!any) return "";
  return table.text(colour) +
         "AVF: upsets without a right result (SDC, hang, or told to be wrong), of all and of those "
         "in registers\nin use. N x p: bits x cycles that end so; FIT: failures in 10^9 device "
         "hours at the technology's raw\nrate. Rank schemes by these two: a scheme's own bits and "
         "cycles count.\n";
}

std::string pairs_table(const ordered_json& results, bool colour) {
  const std::string upsets = upsets_heading(
      results.at("pairs"), [](const ordered_json& p) -> const ordered_json& { return p; });
  Table table({"first", "second", "sites", upsets, "trials", "only first right",
               "only second right", "accuracy difference, points", "McNemar p"},
              {true, true, true, false, false, false, false, false, false});
  for (const auto& p : results.at("pairs")) {
    table.add({p.at("first").get<std::string>(), p.at("second").get<std::string>(),
               of_registers(p) ? p.at("sites").get<std::string>() : elements_of(p), upsets_of(p),
               p.at("trials").dump(), p.at("only_first_correct").dump(),
               p.at("only_second_correct").dump(),
               fmt::format("{:+.2f}", 100 * p.at("accuracy_difference").get<double>()),
               fmt::format("{:.2g}", p.at("mcnemar_p").get<double>())});
  }
  return table.text(colour);
}

namespace {

// As many upsets for machines of different size favour the larger ones, which the sentence must
// say.
std::string targets(const ordered_json& results, const ordered_json& unprotected) {
  if (is_replay(unprotected) || unprotected.at("fault").at("population") != "own") return "";
  const auto target = [](const ordered_json& c) {  // of bits stuck from reset on the bits alone
    const auto& f = c.at("fault");
    return f.at(f.at("bits_x_cycles").is_null() ? "bits" : "bits_x_cycles").get<double>();
  };
  std::string list;
  for (const auto& c : results.at("configurations")) {
    if (c.at("scheme_kind") == "none" || group_of(c) != group_of(unprotected)) continue;
    list += fmt::format("{}{} {:.2f}", list.empty() ? "" : ", ", c.at("scheme").get<std::string>(),
                        target(c) / target(unprotected));
  }
  if (list.empty()) return "";
  return " The upsets are as many for each, the targets are not: in bits x cycles, relative to the "
         "unprotected one, " +
         list + ". The same faults for all: sagitta compare.";
}

}  // namespace

std::string finding(const ordered_json& results) {
  // Judged where faults cost the unprotected machine most.
  const ordered_json* worst = nullptr;
  double loss = -1;
  for (const auto& c : results.at("configurations")) {
    if (c.at("scheme_kind") != "none") continue;
    const double l = c.at("accuracy_fault_free_same_draws").at("value").get<double>() - accuracy(c);
    if (l > loss) {
      loss = l;
      worst = &c;
    }
  }
  if (worst == nullptr) return "No unprotected configuration to compare with.";
  if (loss <= 0) return "None of these faults cost the unprotected machine any accuracy.";
  const auto& f = worst->at("fault");
  std::string what;
  if (is_replay(*worst)) {
    what = fmt::format("the faults of {} on", sites_of(*worst));
  } else if (!of_registers(f)) {
    what = fmt::format("{} hit at a rate of {} on", sites_of(*worst), rate_of(f));
  } else if (has_rate(f)) {
    what =
        fmt::format("{} upsets of a bit in a cycle in {} sites of", rate_of(f), sites_of(*worst));
  } else {
    const bool flips = f.at("model") == "seu";
    what = fmt::format("{} {}upset{} an inference in {} sites of", f.at("upsets").get<int>(),
                       flips ? "" : f.at("model").get<std::string>() + " ",
                       f.at("upsets").get<int>() == 1 ? "" : "s", sites_of(*worst));
  }
  std::string text =
      fmt::format("With {} {}, accuracy falls unprotected from {:.1f} % to {:.1f} %", what,
                  is_study(*worst) ? "the network in software"
                                   : "the " + array_name(worst->at("array")) + " machine",
                  100 * worst->at("accuracy_fault_free_same_draws").at("value").get<double>(),
                  100 * accuracy(*worst));
  std::vector<std::string> parts;
  for (const auto& c : results.at("configurations")) {
    if (c.at("scheme_kind") == "none" || group_of(c) != group_of(*worst)) continue;
    const auto& mine = c.at("accuracy_under_faults");
    const auto& base = worst->at("accuracy_under_faults");
    const bool apart = mine.at("low") > base.at("high") || mine.at("high") < base.at("low");
    const std::string price = is_study(c)
                                  ? ""
                                  : fmt::format(" for {:+.0f} % area and {:+.0f} % energy",
                                                100 * c.at("overhead").at("area").get<double>(),
                                                100 * c.at("overhead").at("energy").get<double>());
    parts.push_back(fmt::format("{} reaches {:.1f} %{}{}", c.at("scheme").get<std::string>(),
                                100 * accuracy(c), price,
                                apart ? "" : " (its interval overlaps none's)"));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "; " : ", ") + parts[i];
  return text + "." + targets(results, *worst);
}

}  // namespace sagitta
