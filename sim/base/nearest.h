// Spelling suggestions for error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sagitta {

// The entry of `known` with the smallest edit distance (Levenshtein) to `word`, the first one on
// ties; empty when `known` is.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace sagitta
