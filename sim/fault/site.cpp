#include "fault/site.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/nearest.h"

namespace sagitta {
namespace {

std::uint64_t all_bits(int width) {
  return width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

std::vector<int> unflatten(const RegisterClass& c, std::int64_t element) {
  std::vector<int> indices(c.extents.size());
  for (std::size_t i = indices.size(); i-- > 0;) {
    indices[i] = static_cast<int>(element % c.extents[i]);
    element /= c.extents[i];
  }
  return indices;
}

// "array.pe[3][7].acc" as the class path "array.pe[][].acc" and the indices 3, 7.
struct ParsedPath {
  std::string class_path;
  std::vector<std::int64_t> indices;
  int bit = -1;
  bool ok = true;
};

ParsedPath take_apart(const std::string& text) {
  ParsedPath p;
  const std::size_t colon = text.rfind(':');
  const std::string body = text.substr(0, colon);
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto r = std::from_chars(text.data() + colon + 1, end, p.bit);
    p.ok = r.ec == std::errc{} && r.ptr == end && p.bit >= 0;
  }
  for (std::size_t i = 0; i < body.size(); ++i) {
    p.class_path += body[i];
    if (body[i] != '[') continue;
    const std::size_t close = body.find(']', i);
    std::int64_t index = -1;
    const char* end = body.data() + (close == std::string::npos ? body.size() : close);
    const auto r = std::from_chars(body.data() + i + 1, end, index);
    if (close == std::string::npos || r.ec != std::errc{} || r.ptr != end || index < 0) {
      p.ok = false;
      return p;
    }
    p.indices.push_back(index);
    p.class_path += ']';
    i = close;
  }
  return p;
}

// Skew registers are declared lane by lane ("array.skew_a[3][]"); a path names all indices. Matches
// a declared path against a path whose indices were taken out, giving the free indices.
bool same_register(const std::string& declared, const ParsedPath& wanted,
                   std::vector<std::int64_t>& free) {
  const ParsedPath d = [&declared] {
    ParsedPath r;
    for (std::size_t i = 0; i < declared.size(); ++i) {
      r.class_path += declared[i];
      if (declared[i] != '[') continue;
      const std::size_t close = declared.find(']', i);
      r.indices.push_back(close == i + 1 ? -1 : std::stoll(declared.substr(i + 1, close - i - 1)));
      r.class_path += ']';
      i = close;
    }
    return r;
  }();
  if (d.class_path != wanted.class_path || d.indices.size() != wanted.indices.size()) return false;
  free.clear();
  for (std::size_t i = 0; i < d.indices.size(); ++i) {
    if (d.indices[i] < 0) {
      free.push_back(wanted.indices[i]);
    } else if (d.indices[i] != wanted.indices[i]) {
      return false;
    }
  }
  return true;
}

// A class's path with something in its empty brackets: what a user is advised to write.
std::string with_indices(std::string path, std::string_view index) {
  for (std::size_t at = 0; (at = path.find("[]", at)) != std::string::npos; at += index.size()) {
    path.insert(at + 1, index);
  }
  return path;
}

std::string join_indices(const std::string& class_path, const std::vector<int>& indices) {
  std::string path;
  std::size_t next = 0;
  for (std::size_t i = 0; i < class_path.size(); ++i) {
    path += class_path[i];
    if (class_path[i] == '[' && class_path[i + 1] == ']') path += std::to_string(indices[next++]);
  }
  return path;
}

// "[2..5]" in a glob.
struct IndexRange {
  std::int64_t low = 0, high = 0;
  const char* end = nullptr;  // its "]"
};

bool take_range(const char* pattern, IndexRange& range) {
  if (*pattern != '[') return false;
  const char* end = std::strchr(pattern, ']');
  if (end == nullptr) return false;
  const auto low = std::from_chars(pattern + 1, end, range.low);
  if (low.ec != std::errc{} || !std::string_view(low.ptr, end).starts_with("..")) return false;
  const auto high = std::from_chars(low.ptr + 2, end, range.high);
  range.end = end;
  return high.ec == std::errc{} && high.ptr == end;
}

}  // namespace

bool glob_match(const char* pattern, const char* text) {
  // reached[i]: the pattern so far matches the first i characters. Time is pattern x text, whatever
  // the stars.
  const std::size_t n = std::strlen(text);
  std::vector<char> reached(n + 1, 0);
  reached[0] = 1;
  for (; *pattern != '\0'; ++pattern) {
    if (*pattern == '*') {
      const bool any = pattern[1] == '*';
      if (any) ++pattern;
      for (std::size_t i = 1; i <= n; ++i) {
        if (reached[i - 1] != 0 && (any || text[i - 1] != '.')) reached[i] = 1;
      }
      continue;
    }
    if (IndexRange range; take_range(pattern, range)) {
      std::vector<char> after(n + 1, 0);
      for (std::size_t i = 0; i < n; ++i) {
        if (reached[i] == 0 || text[i] != '[') continue;
        std::int64_t index = -1;
        const auto r = std::from_chars(text + i + 1, text + n, index);
        if (r.ec == std::errc{} && *r.ptr == ']' && index >= range.low && index <= range.high) {
          after[static_cast<std::size_t>(r.ptr - text) + 1] = 1;
        }
      }
      reached.swap(after);
      pattern = range.end;
      continue;
    }
    for (std::size_t i = n; i > 0; --i) {
      reached[i] = reached[i - 1] != 0 && text[i - 1] == *pattern ? 1 : 0;
    }
    reached[0] = 0;
  }
  return reached[n] != 0;
}

void SiteSelection::add(const Run& run) {
  if (run.count == 0 || run.mask == 0) return;
  runs_.push_back(run);
  cumulative_.push_back(bits() + run.bits());
}

Site SiteSelection::at(std::int64_t index) const {
  const auto it = std::upper_bound(cumulative_.begin(), cumulative_.end(), index);
  const Run& run = runs_[static_cast<std::size_t>(it - cumulative_.begin())];
  const std::int64_t before = it == cumulative_.begin() ? 0 : *(it - 1);
  return run.at(index - before);
}

Site SiteSelection::Run::at(std::int64_t i) const {
  const int width = std::popcount(mask);
  std::uint64_t left = mask;
  for (std::int64_t skip = i % width; skip > 0; --skip) left &= left - 1;
  return {register_class, first + i / width, std::countr_zero(left)};
}

bool SiteSelection::contains(const Site& site) const {
  return std::any_of(runs_.begin(), runs_.end(), [&site](const Run& run) {
    return run.register_class == site.register_class && site.element >= run.first &&
           site.element < run.first + run.count && (run.mask >> site.bit & 1) != 0;
  });
}

SiteSelection SiteSelection::without(const SiteSelection& other) const {
  SiteSelection rest;
  for (const Run& run : runs_) {
    std::vector<Run> left{run};
    for (const Run& taken : other.runs_) {
      if (taken.register_class != run.register_class) continue;
      std::vector<Run> next;
      for (const Run& piece : left) {
        const std::int64_t end = piece.first + piece.count;
        const std::int64_t from = std::clamp(taken.first, piece.first, end);
        const std::int64_t to = std::clamp(taken.first + taken.count, from, end);
        next.push_back({run.register_class, piece.first, from - piece.first, piece.mask});
        next.push_back({run.register_class, from, to - from, piece.mask & ~taken.mask});
        next.push_back({run.register_class, to, end - to, piece.mask});
      }
      left = std::move(next);
    }
    for (const Run& piece : left) rest.add(piece);
  }
  return rest;
}

std::int64_t SiteMap::total_bits() const {
  std::int64_t n = 0;
  for (const RegisterClass& c : classes_) n += c.bits();
  return n;
}

std::vector<int> SiteMap::indices(const Site& site) const {
  return unflatten(classes_[static_cast<std::size_t>(site.register_class)], site.element);
}

std::string SiteMap::element_path(int register_class, std::int64_t element) const {
  const RegisterClass& c = classes_[static_cast<std::size_t>(register_class)];
  return join_indices(c.path, unflatten(c, element));
}

std::string SiteMap::path(const Site& site) const {
  return element_path(site.register_class, site.element) + ":" + std::to_string(site.bit);
}

Site SiteMap::parse(const std::string& path, const std::string& file,
                    const std::string& where) const {
  const ParsedPath wanted = take_apart(path);
  if (!wanted.ok || wanted.bit < 0) {
    throw InputError(file, where, fmt::format("'{}' is not a fault site", path),
                     "write register and bit as in array.pe[3][4].acc:17");
  }
  std::vector<std::int64_t> free;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    const RegisterClass& c = classes_[i];
    if (!same_register(c.path, wanted, free)) continue;
    std::int64_t element = 0;
    for (std::size_t d = 0; d < free.size(); ++d) {
      if (free[d] >= c.extents[d]) {
        throw InputError(
            file, where,
            fmt::format("'{}': index {} is outside 0..{}", path, free[d], c.extents[d] - 1),
            "`sagitta sites` lists the registers of a configuration");
      }
      element = element * c.extents[d] + free[d];
    }
    if (wanted.bit >= c.width) {
      throw InputError(file, where,
                       fmt::format("'{}': the register has bits 0..{}", path, c.width - 1),
                       "choose a bit in that range");
    }
    return {static_cast<int>(i), element, wanted.bit};
  }
  std::vector<std::string> names;
  for (const RegisterClass& c : classes_) names.push_back(c.path);
  // A register that has copies here, or else the nearest by spelling.
  const auto longer = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return name.starts_with(wanted.class_path + ".");
  });
  const std::string meant = longer != names.end() ? *longer : nearest(wanted.class_path, names);
  throw InputError(
      file, where, fmt::format("'{}' is not a fault site of this machine", path),
      meant.empty() ? "`sagitta sites` lists all registers; a site is one of their bits, such as " +
                          with_indices(names.front(), "0") + ":0"
                    : fmt::format("the nearest register is {}; `sagitta sites` lists all",
                                  with_indices(meant, "0")));
}

SiteSelection SiteMap::select(const std::string& globs, const std::string& file,
                              const std::string& where, const std::string& machine) const {
  // A site may match several globs; masks by element keep it counted once.
  std::vector<std::vector<std::pair<std::int64_t, std::uint64_t>>> chosen(classes_.size());
  std::vector<std::uint64_t> whole(classes_.size(), 0);
  std::stringstream list(globs);
  std::string glob;
  bool any_glob = false;
  while (std::getline(list, glob, ',')) {
    glob.erase(0, glob.find_first_not_of(' '));
    glob.erase(glob.find_last_not_of(' ') + 1);
    if (glob.empty()) continue;
    any_glob = true;
    bool matched = false;
    const std::size_t colon = glob.rfind(':');
    const std::string body = glob.substr(0, colon);
    const std::string bit_glob = colon == std::string::npos ? "*" : glob.substr(colon + 1);
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      const RegisterClass& c = classes_[i];
      const bool in_memory = c.path.starts_with("memory.");
      std::uint64_t mask = 0;
      for (int b = 0; b < c.width; ++b) {
        if (glob_match(bit_glob.c_str(), std::to_string(b).c_str())) mask |= std::uint64_t{1} << b;
      }
      if (mask == 0) continue;
      const bool named = (glob == "all") || (glob == "memory" && in_memory) ||
                         (glob == "logic" && !in_memory && c.storage == Storage::flip_flop);
      // "prefix**" takes whole classes without looking at their elements.
      const bool prefix =
          body.ends_with("**") && body.find('*') == body.size() - 2 &&
          c.path.substr(0, c.path.find('[')).starts_with(body.substr(0, body.size() - 2));
      if (named || prefix) {
        whole[i] |= mask;
        matched = true;
        continue;
      }
      if (glob == "all" || glob == "memory" || glob == "logic") continue;
      for (std::int64_t e = 0; e < c.elements(); ++e) {
        if (!glob_match(body.c_str(), element_path(static_cast<int>(i), e).c_str())) continue;
        chosen[i].emplace_back(e, mask);
        matched = true;
      }
    }
    if (!matched) {
      std::vector<std::string> names = {"all", "logic", "memory"};
      for (const RegisterClass& c : classes_) names.push_back(c.path);
      const std::string meant = nearest(glob, names);
      throw InputError(
          file, where,
          fmt::format("'{}' matches no register of the machine{}", glob,
                      machine.empty() ? "" : " " + machine),
          (meant.empty() ? std::string("name all, logic, memory or path globs")
                         : fmt::format("the nearest is {}", with_indices(meant, "*"))) +
              "; `sagitta sites` lists all registers, with their bits and sizes");
    }
  }
  if (!any_glob) {
    throw InputError(file, where, "no sites are named", "use all, logic, memory or path globs");
  }
  SiteSelection selection;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    const int index = static_cast<int>(i);
    const std::uint64_t full = all_bits(classes_[i].width);
    if (whole[i] == full || chosen[i].empty()) {
      selection.add({index, 0, classes_[i].elements(), whole[i]});
      continue;
    }
    std::sort(chosen[i].begin(), chosen[i].end());
    // Merge: every element has the class's mask and those of the globs that name it.
    std::size_t at = 0;
    for (std::int64_t e = 0; e < classes_[i].elements(); ++e) {
      std::uint64_t mask = whole[i];
      while (at < chosen[i].size() && chosen[i][at].first == e) mask |= chosen[i][at++].second;
      if (mask == 0) continue;
      if (!selection.runs_.empty()) {
        SiteSelection::Run& last = selection.runs_.back();
        if (last.register_class == index && last.first + last.count == e && last.mask == mask) {
          ++last.count;
          selection.cumulative_.back() += std::popcount(mask);
          continue;
        }
      }
      selection.add({index, e, 1, mask});
    }
  }
  return selection;
}

}  // namespace sagitta
