// A matrix product as a program, for the commands that take one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "schedule/program.h"

namespace sagitta::cli {

struct ProductOptions {
  std::string a, b, array = "16x16", dataflow = "os", scheme = "none";
  bool overlap = false;
  void add_to(CLI::App& app, bool required);
};

// C = A B on a machine: A is M x K and the input of the program, which holds B.
struct Product {
  int m = 0, k = 0, n = 0;
  std::vector<std::int8_t> a;
  ArrayShape array;
  Program program;
};
// Throws InputError.
Product load_product(const ProductOptions& options);

// Refuses an output that is one of the inputs.
void keep_input(const std::string& output, const std::vector<std::string>& inputs,
                const std::string& what);

}  // namespace sagitta::cli
