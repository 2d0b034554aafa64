// Fault sites: one bit of one flip-flop or SRAM word, named by a path such as
// "array.pe[3][7].acc:17". The map is built from the machine's register declarations, so every
// stored bit is a site and nothing else is.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/registers.h"

namespace sagitta {

struct Site {
  int register_class = 0;    // index into SiteMap::classes()
  std::int64_t element = 0;  // row-major over the class's extents
  int bit = 0;
  bool operator==(const Site&) const = default;
};

// A set of sites from path globs, numbered 0 .. bits() - 1 so that draws are uniform over bits.
class SiteSelection {
 public:
  std::int64_t bits() const { return cumulative_.empty() ? 0 : cumulative_.back(); }
  Site at(std::int64_t index) const;

  // Neighbouring elements of a class of which the same bits are selected.
  struct Run {
    int register_class;
    std::int64_t first;  // element
    std::int64_t count;
    std::uint64_t mask;  // bits of the element

    std::int64_t bits() const { return count * std::popcount(mask); }
    // The i-th bit of all that are selected: element by element, in each from the lowest.
    Site at(std::int64_t i) const;
  };
  const std::vector<Run>& runs() const { return runs_; }
  bool contains(const Site& site) const;
  // What of this selection is not in the other one.
  SiteSelection without(const SiteSelection& other) const;

 private:
  friend class SiteMap;
  void add(const Run& run);
  std::vector<Run> runs_;
  std::vector<std::int64_t> cumulative_;  // bits up to and including each run
};

class SiteMap {
 public:
  explicit SiteMap(const RegisterLayout& layout) : classes_(layout.classes()) {}
  explicit SiteMap(std::vector<RegisterClass> classes) : classes_(std::move(classes)) {}

  const std::vector<RegisterClass>& classes() const { return classes_; }
  std::int64_t total_bits() const;
  std::string path(const Site& site) const;  // with the bit: "array.pe[0][1].a:5"
  std::string element_path(int register_class, std::int64_t element) const;
  std::vector<int> indices(const Site& site) const;

  // Throws InputError (file and where as given) with the nearest known path as the remedy.
  Site parse(const std::string& path, const std::string& file, const std::string& where) const;

  // Comma-separated globs: "*" matches within a component (not "."), "**" anything, "[2..5]" an
  // index from 2 to 5; a glob without
  // ":bit" takes all bits. The names all, logic (flip-flops outside memory.**) and memory are
  // understood. Throws InputError when a glob matches nothing; `machine` names it in the message.
  SiteSelection select(const std::string& globs, const std::string& file, const std::string& where,
                       const std::string& machine = "") const;

 private:
  std::vector<RegisterClass> classes_;
};

// Glob match as described at SiteMap::select.
bool glob_match(const char* pattern, const char* text);

}  // namespace sagitta
