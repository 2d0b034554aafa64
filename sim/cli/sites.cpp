// sagitta sites: every register of a machine, and how many bits can be hit.
#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "cli/command.h"
#include "fault/site.h"
#include "report/table.h"

namespace sagitta::cli {
namespace {

// One line of the list: the registers of one path. Skew registers are declared lane by lane and
// count as one line here.
struct Line {
  std::string path;
  std::int64_t elements = 0;
  int width = 0;
  std::int64_t bits = 0;
  Storage storage = Storage::flip_flop;
};

std::string without_indices(const std::string& path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == ']') inside = false;
    if (!inside) out += c;
    if (c == '[') inside = true;
  }
  return out;
}

std::vector<Line> lines_of(const std::vector<RegisterClass>& classes) {
  std::vector<Line> lines;
  for (const RegisterClass& c : classes) {
    const std::string path = without_indices(c.path);
    auto it =
        std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.path == path; });
    if (it == lines.end()) it = lines.insert(lines.end(), {path, 0, c.width, 0, c.storage});
    it->elements += c.elements();
    it->bits += c.bits();
  }
  return lines;
}

const char* storage_name(Storage s) {
  return s == Storage::sram ? "sram" : "flip-flop";
}

nlohmann::ordered_json to_json(const std::vector<Line>& lines, const std::string& name) {
  nlohmann::ordered_json j;
  if (!name.empty()) j["name"] = name;
  std::int64_t total = 0;
  std::int64_t flip_flops = 0;
  for (const Line& l : lines) {
    total += l.bits;
    if (l.storage == Storage::flip_flop) flip_flops += l.bits;
  }
  j["total_bits"] = total;
  j["flip_flop_bits"] = flip_flops;
  j["sram_bits"] = total - flip_flops;
  j["blocks"] = nlohmann::ordered_json::array();
  for (const Line& l : lines) {
    j["blocks"].push_back({{"path", l.path},
                           {"elements", l.elements},
                           {"width", l.width},
                           {"bits", l.bits},
                           {"storage", storage_name(l.storage)}});
  }
  return j;
}

}  // namespace

void add_sites(CLI::App& app) {
  auto* command = app.add_subcommand(
      "sites", "List the fault sites: every flip-flop and SRAM bit of a machine");
  command->footer(
      "A site is a register with its indices and a bit, e.g. array.pe[3][7].acc:17.\n"
      "fault.sites takes comma-separated globs over these paths: * within a component, ** across,\n"
      "[2..5] an index from 2 to 5,\n"
      "or one of the names all, logic (flip-flops outside memory.**) and memory.\n"
      "Example: sagitta sites configs/lenet5.json --set scheme=gradient");
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command, false);
  command->callback([options] {
    const Campaign campaign(options->load());
    campaign.require_machines();
    nlohmann::ordered_json j;
    std::string text;
    for (const MachinePlan& m : campaign.machines()) {
      const auto& first =
          campaign.experiment().configurations[static_cast<std::size_t>(m.configurations.front())];
      const std::string name = first.name;
      const auto lines = lines_of(m.registers);
      if (j.empty()) {  // the first machine's at the top, for the plain case of one
        j = to_json(lines, name);
        j["configurations"] = nlohmann::ordered_json::array();
      }
      j["configurations"].push_back(to_json(lines, name));
      Table table({"register", "elements", "width", "bits", "storage"},
                  {true, false, false, false, true});
      std::int64_t total = 0;
      for (const Line& l : lines) {
        table.add({l.path, std::to_string(l.elements), std::to_string(l.width),
                   std::to_string(l.bits), storage_name(l.storage)});
        total += l.bits;
      }
      table.rule();
      table.add({"total", "", "", std::to_string(total), ""});
      text += name + "\n" + table.text(colour_wanted()) + "\n";
    }
    print(options->json ? document(j) : text);
  });
}

}  // namespace sagitta::cli
