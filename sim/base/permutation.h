// A shuffled order that is computed, not stored: of 10^15 points, too.
#pragma once

#include <cstdint>

namespace sagitta {

// Where `index` stands in the order number (seed, stream) of 0 .. size - 1: a bijection for every
// seed and stream, so that the first n indices draw n different points, uniformly and in any order
// of asking, and all of them draw each point once. A balanced Feistel network with Philox as its
// round function (M. Luby, C. Rackoff, SIAM J. Comput. 17, 1988), applied until it falls within the
// size (cycle walking: J. Black, P. Rogaway, CT-RSA 2002).
// Throws std::invalid_argument unless index < size <= 2^62.
std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed,
                       std::uint64_t stream);

}  // namespace sagitta
