#include "workload/topology.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"

namespace sagitta {
namespace {

constexpr int kLargest = 1 << 23;  // of any number in a file; the machine's counters hold no more
constexpr double kMostElements = 1 << 30;  // of an operand or a result

const std::vector<std::string> kConvolutionColumns = {
    "IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width",
    "Channels",     "Num Filter",  "Strides"};
const std::vector<std::string> kGemmColumns = {"M", "N", "K"};

std::string trimmed(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

// The cells of a line; the comma that SCALE-Sim wants at its end adds none.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(trimmed(cell));
  while (!cells.empty() && cells.back().empty()) cells.pop_back();
  return cells;
}

// "a", "b" and "c".
std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += i == 0 ? "" : i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

class Reader {
 public:
  Reader(const std::string& path, TopologyForm form)
      : path_(path),
        form_(form),
        columns_(form == TopologyForm::gemm ? kGemmColumns : kConvolutionColumns) {}

  Topology read() {
    Topology topology;
    topology.name = std::filesystem::path(path_).stem().string();
    topology.workload.name = topology.name;
    topology.workload.source = path_;
    std::istringstream text(read_file(path_));
    std::string line;
    for (line_ = 1; std::getline(text, line); ++line_) {
      if (line_ == 1 || trimmed(line).empty()) continue;  // the first line is the header
      add(cells_of(line), topology);
    }
    if (topology.layers.empty()) {
      throw InputError(path_, "", "has no layer below its header line",
                       "write a row a layer: Layer name, " + list(columns_));
    }
    topology.workload.input = topology.workload.layers.front().input;
    return topology;
  }

 private:
  [[noreturn]] void fail(const std::string& column, const std::string& problem,
                         const std::string& remedy) const {
    throw InputError(path_,
                     fmt::format("line {}{}", line_, column.empty() ? "" : ", column " + column),
                     problem, remedy);
  }

  int number(const std::vector<std::string>& cells, std::size_t column) const {
    const std::string& cell = cells[column + 1];
    int value = 0;
    const auto r = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (r.ec != std::errc{} || r.ptr != cell.data() + cell.size() || value < 1 ||
        value > kLargest) {
      fail(columns_[column], fmt::format("'{}' is not a whole number from 1 to {}", cell, kLargest),
           form_ == TopologyForm::gemm ? "rows of this form are: Layer name, M, N, K"
                                       : "rows of this form are: Layer name, " + list(columns_));
    }
    return value;
  }

  void check_cells(const std::vector<std::string>& cells) const {
    const std::size_t wanted = columns_.size() + 1;
    if (cells.size() < wanted) {
      const std::string missing = cells.empty() ? "Layer name" : columns_[cells.size() - 1];
      fail(missing, fmt::format("the row has {} cells of {}", cells.size(), wanted),
           form_ == TopologyForm::gemm
               ? "a row of a matrix product is: Layer name, M, N, K"
               : "a row of a convolution is: Layer name, " + list(columns_) +
                     "; for rows with M, N and K say -i gemm");
    }
    if (cells[0].empty()) fail("Layer name", "there is no name", "name the layer");
    if (cells.size() == wanted) return;
    // A further column is the ratio of a structured sparsity, N:M; dense is as good as none.
    const std::string& extra = cells[wanted];
    const std::size_t colon = extra.find(':');
    const bool dense = colon != std::string::npos && colon > 0 &&
                       extra.substr(0, colon) == extra.substr(colon + 1);
    if (cells.size() == wanted + 1 && dense) return;
    if (cells.size() == wanted + 1 && colon != std::string::npos) {
      fail("Sparsity", fmt::format("'{}': sparse filters are not modelled", extra),
           "leave the column out, or write 1:1");
    }
    fail(fmt::format("{}", wanted + 1),
         fmt::format("'{}' follows the last column, {}", extra, columns_.back()),
         "one stride holds for both axes; padding is part of the IFMAP size; leave other columns "
         "out");
  }

  void add(const std::vector<std::string>& cells, Topology& topology) const {
    check_cells(cells);
    TopologyLayer layer;
    layer.name = cells[0];
    if (form_ == TopologyForm::gemm) {
      layer.is_gemm = true;
      layer.ifmap_h = number(cells, 0);
      layer.filters = number(cells, 1);
      layer.ifmap_w = layer.filter_w = number(cells, 2);
    } else {
      layer.ifmap_h = number(cells, 0);
      layer.ifmap_w = number(cells, 1);
      layer.filter_h = number(cells, 2);
      layer.filter_w = number(cells, 3);
      layer.channels = number(cells, 4);
      layer.filters = number(cells, 5);
      layer.stride_h = layer.stride_w = number(cells, 6);
      check_fits("Filter Height", layer.filter_h, "height", layer.ifmap_h);
      check_fits("Filter Width", layer.filter_w, "width", layer.ifmap_w);
    }
    check_sizes(layer);
    const bool depthwise =
        form_ == TopologyForm::convolution && layer.name.find("DP") != std::string::npos;
    topology.workload.layers.push_back(as_work(layer, depthwise ? layer.channels : 1));
    topology.workload.layers.back().from = static_cast<int>(topology.workload.layers.size()) - 2;
    if (!depthwise) {
      topology.layers.push_back(layer);
      return;
    }
    TopologyLayer channel = layer;
    channel.channels = 1;
    for (int i = 0; i < layer.channels; ++i) {
      channel.name = fmt::format("{}Channel_{}", layer.name, i);
      topology.layers.push_back(channel);
    }
  }

  void check_sizes(const TopologyLayer& layer) const {
    const std::pair<const char*, double> sizes[] = {
        {"IFMAP", double(layer.ifmap_h) * layer.ifmap_w * layer.channels},
        {"filter", double(layer.filters) * double(layer.depth())},
        {"OFMAP", double(layer.rows()) * layer.filters}};
    for (const auto& [what, elements] : sizes) {
      if (elements <= kMostElements) continue;
      fail("", fmt::format("its {} has {:.0f} elements", what, elements),
           fmt::format("split the layer: at most {:.0f} are possible", kMostElements));
    }
  }

  void check_fits(const char* column, int filter, const char* side, int ifmap) const {
    if (filter <= ifmap) return;
    fail(column, fmt::format("{} is more than the IFMAP's {}, {}", filter, side, ifmap),
         "padding is part of the IFMAP size: add it there");
  }

  static WorkLayer as_work(const TopologyLayer& row, int groups) {
    WorkLayer work;
    work.name = row.name;
    if (row.is_gemm) {  // a position a row of the product
      work.input = {1, row.ifmap_h, row.ifmap_w};
      work.output = {1, row.ifmap_h, row.filters};
      return work;
    }
    work.groups = groups;
    work.input = {row.ifmap_h, row.ifmap_w, row.channels};
    work.output = {row.ofmap_h(), row.ofmap_w(), row.filters * groups};
    Window& w = work.window;
    w.kernel_h = row.filter_h;
    w.kernel_w = row.filter_w;
    w.stride_h = row.stride_h;
    w.stride_w = row.stride_w;
    // What the last window sticks out.
    w.pad_bottom = (row.ofmap_h() - 1) * row.stride_h + row.filter_h - row.ifmap_h;
    w.pad_right = (row.ofmap_w() - 1) * row.stride_w + row.filter_w - row.ifmap_w;
    w.pad_bottom = std::max(w.pad_bottom, 0);
    w.pad_right = std::max(w.pad_right, 0);
    return work;
  }

  std::string path_;
  TopologyForm form_;
  std::vector<std::string> columns_;
  int line_ = 0;
};

int windows(int ifmap, int filter, int dilation, int stride) {
  return (ifmap - (dilation * (filter - 1) + 1) + 2 * stride - 1) / stride;
}

}  // namespace

int TopologyLayer::ofmap_h() const {
  return windows(ifmap_h, filter_h, dilation_h, stride_h);
}
int TopologyLayer::ofmap_w() const {
  return windows(ifmap_w, filter_w, dilation_w, stride_w);
}

Topology read_topology(const std::string& path, TopologyForm form) {
  return Reader(path, form).read();
}

TopologyForm topology_form(const std::string& path) {
  std::istringstream text(read_file(path));
  std::string header;
  std::getline(text, header);
  const std::vector<std::string> cells = cells_of(header);
  const auto has = [&cells](const std::string& name) {
    return std::find(cells.begin(), cells.end(), name) != cells.end();
  };
  return has("M") && has("N") && has("K") ? TopologyForm::gemm : TopologyForm::convolution;
}

std::vector<TopologyLayer> topology_of(const Workload& workload) {
  std::vector<TopologyLayer> layers;
  for (const WorkLayer& work : workload.layers) {
    if (!work.multiplies()) continue;
    const Window& w = work.window;
    TopologyLayer layer;
    // Exactly what the windows cover, so that none sticks out.
    layer.ifmap_h = (work.output.height - 1) * w.stride_h + w.dilation_h * (w.kernel_h - 1) + 1;
    layer.ifmap_w = (work.output.width - 1) * w.stride_w + w.dilation_w * (w.kernel_w - 1) + 1;
    layer.filter_h = w.kernel_h;
    layer.filter_w = w.kernel_w;
    layer.channels = work.input.channels / work.groups;
    layer.filters = work.output.channels / work.groups;
    layer.stride_h = w.stride_h;
    layer.stride_w = w.stride_w;
    layer.dilation_h = w.dilation_h;
    layer.dilation_w = w.dilation_w;
    layer.images = workload.batch;
    for (int group = 0; group < work.groups; ++group) {
      layer.name = work.groups == 1 ? work.name : fmt::format("{}Channel_{}", work.name, group);
      layers.push_back(layer);
    }
  }
  return layers;
}

std::string write_topology(const std::vector<TopologyLayer>& layers, TopologyForm form,
                           const std::string& file) {
  std::string text = form == TopologyForm::gemm
                         ? "Layer, M, N, K,\n"
                         : "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, "
                           "Channels, Num Filter, Strides,\n";
  for (const TopologyLayer& l : layers) {
    if (form == TopologyForm::gemm) {
      text += fmt::format("{}, {}, {}, {},\n", l.name, l.rows(), l.columns(), l.depth());
      continue;
    }
    const auto refuse = [&](const std::string& what) {
      throw InputError(file, "layer " + l.name, what + " cannot be said in a convolution row",
                       "export matrix products: -i gemm");
    };
    if (l.stride_h != l.stride_w) refuse("a stride for each axis");
    if (l.dilation_h != 1 || l.dilation_w != 1) refuse("dilation");
    if (l.images != 1) refuse("a batch");
    text += fmt::format("{}, {}, {}, {}, {}, {}, {}, {},\n", l.name, l.ifmap_h, l.ifmap_w,
                        l.filter_h, l.filter_w, l.channels, l.filters, l.stride_h);
  }
  return text;
}

}  // namespace sagitta
