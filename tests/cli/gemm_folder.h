// Matrices for `sagitta gemm`, and what plain arithmetic makes of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "network/npy.h"
#include "support/random_network.h"

namespace sagitta::test {

class GemmFolder : public CommandLine {
 protected:
  // Writes A.npy and B.npy, random and without a zero.
  void make(int m, int k, int n, std::uint64_t seed = 1) {
    Random random(seed);
    const auto nonzero = [&random](int count) {
      auto values = random.int8s(count);
      for (auto& v : values) v = v == 0 ? std::int8_t{1} : v;
      return values;
    };
    const auto a = nonzero(m * k);
    const auto b = nonzero(k * n);
    write_npy(path("A.npy"), {m, k}, a);
    write_npy(path("B.npy"), {k, n}, b);
    columns_ = n;
    product_.assign(static_cast<std::size_t>(m * n), 0);
    for (int r = 0; r < m; ++r) {
      for (int c = 0; c < n; ++c) {
        for (int d = 0; d < k; ++d) {
          product_[static_cast<std::size_t>(r * n + c)] +=
              a[static_cast<std::size_t>(r * k + d)] * b[static_cast<std::size_t>(d * n + c)];
        }
      }
    }
  }
  static Arguments gemm(const Arguments& more = {}) {
    return Arguments{"gemm", "--a", "A.npy", "--b", "B.npy"} + more;
  }
  std::vector<std::int32_t> result() const {
    const NpyArray c = read_npy(path("C.npy"));
    EXPECT_EQ(c.type, NpyType::int32);
    EXPECT_EQ(c.shape, (std::vector<std::int64_t>{
                           static_cast<std::int64_t>(product_.size()) / columns_, columns_}));
    return c.as_int32("C.npy");
  }
  std::vector<std::int32_t> product_;
  int columns_ = 0;
};

}  // namespace sagitta::test
