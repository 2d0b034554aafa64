// Spelling suggestions for error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sagitta {

// The entry of `known` that `word` is a slip of: the one with the fewest letters inserted, left
// out, replaced or exchanged with the next one, the first on ties. Empty when none is near, that is
// when more than a third of the longer one's letters differ and neither begins with the other.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// The remedy for a name that is not known: `did you mean "conv1"?`, or where none is near
// `the layers are "conv1", "fc1"`, at most ten of them. `what` is the word for all of `known`.
std::string suggest(std::string_view word, const std::vector<std::string>& known,
                    const std::string& what);

}  // namespace sagitta
