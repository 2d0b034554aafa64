#include "workload/fold_walker.h"

#include <algorithm>

namespace sagitta {
namespace {

PortRequests ports(int count) {
  PortRequests requests;
  requests.address.assign(static_cast<std::size_t>(count), PortRequests::kNone);
  return requests;
}

void clear(PortRequests& requests) {
  std::fill(requests.address.begin() + requests.first, requests.address.begin() + requests.last,
            PortRequests::kNone);
  requests.count = requests.first = requests.last = 0;
}

}  // namespace

FoldWalker::FoldWalker(const TopologyLayer& layer, Stationary dataflow, int rows, int columns)
    : dataflow_(dataflow),
      m_(layer.rows()),
      k_(layer.depth()),
      n_(layer.columns()),
      height_(layer.ifmap_h),
      width_(layer.ifmap_w),
      channels_(layer.channels),
      images_(layer.images),
      rows_(rows),
      columns_(columns),
      stationary_rows_(dataflow == Stationary::output ? m_ : k_),
      stationary_columns_(dataflow == Stationary::input ? m_ : n_),
      time_(dataflow == Stationary::output   ? k_
            : dataflow == Stationary::weight ? m_
                                             : n_),
      ifmap_(ports(dataflow == Stationary::input ? columns : rows)),
      filter_(ports(dataflow == Stationary::input ? rows : columns)),
      ofmap_(ports(columns)) {
  const std::int64_t image = height_ * width_ * channels_;
  for (int i = 0; i < layer.images; ++i) {
    for (int y = 0; y < layer.ofmap_h(); ++y) {
      for (int x = 0; x < layer.ofmap_w(); ++x) {
        pixels_.push_back({y * layer.stride_h, x * layer.stride_w, i * image});
      }
    }
  }
  for (int y = 0; y < layer.filter_h; ++y) {
    for (int x = 0; x < layer.filter_w; ++x) {
      for (int channel = 0; channel < layer.channels; ++channel) {
        taps_.push_back({y * layer.dilation_h, x * layer.dilation_w, channel});
      }
    }
  }
}

std::int64_t FoldWalker::ifmap_words() const {
  return images_ * height_ * width_ * channels_;
}

std::int64_t FoldWalker::schedule_cycles() const {
  const auto folds = [](std::int64_t size, int pes) { return (size + pes - 1) / pes; };
  return folds(stationary_rows_, rows_) * folds(stationary_columns_, columns_) *
         (2 * rows_ + columns_ + time_ - 2);
}

std::int64_t FoldWalker::ifmap_address(std::int64_t m, std::int64_t k) const {
  const Position& pixel = pixels_[static_cast<std::size_t>(m)];
  const Position& tap = taps_[static_cast<std::size_t>(k)];
  const std::int64_t y = std::int64_t{pixel.y} + tap.y;
  const std::int64_t x = std::int64_t{pixel.x} + tap.x;
  if (y >= height_ || x >= width_) return PortRequests::kOutside;
  return pixel.base + (y * width_ + x) * channels_ + tap.base;
}

std::int64_t FoldWalker::stationary_address(std::int64_t row, std::int64_t column) const {
  return dataflow_ == Stationary::weight ? filter_address(row, column) : ifmap_address(column, row);
}

std::int64_t FoldWalker::moving_address(std::int64_t row, std::int64_t time) const {
  return dataflow_ == Stationary::weight ? ifmap_address(time, row) : filter_address(row, time);
}

template <typename Address>
void FoldWalker::ask_skewed(PortRequests& requests, std::int64_t time, int lanes,
                            Address address) const {
  if (time < 0) return;
  requests.first = static_cast<int>(std::clamp<std::int64_t>(time - time_ + 1, 0, lanes));
  requests.last = static_cast<int>(std::clamp<std::int64_t>(time + 1, requests.first, lanes));
  requests.count = requests.last - requests.first;
  for (int i = requests.first; i < requests.last; ++i) {
    requests.address[static_cast<std::size_t>(i)] = address(i, time - i);
  }
}

bool FoldWalker::next_fold() {
  if (folds_ > 0) {
    first_row_ += rows_;
    if (first_row_ >= stationary_rows_) {
      first_row_ = 0;
      first_column_ += columns_;
      if (first_column_ >= stationary_columns_) return false;
    }
  }
  ++folds_;
  fold_cycle_ = 0;
  used_rows_ = static_cast<int>(std::min<std::int64_t>(rows_, stationary_rows_ - first_row_));
  used_columns_ =
      static_cast<int>(std::min<std::int64_t>(columns_, stationary_columns_ - first_column_));
  return true;
}

// Weights or inputs stay.
void FoldWalker::ask_stationary() {
  const bool weights = dataflow_ == Stationary::weight;
  PortRequests& stationary = weights ? filter_ : ifmap_;
  PortRequests& moving = weights ? ifmap_ : filter_;
  const std::int64_t row = rows_ - 1 - fold_cycle_;
  if (row >= 0 && row < used_rows_) {
    stationary.last = stationary.count = used_columns_;
    for (int c = 0; c < used_columns_; ++c) {
      stationary.address[static_cast<std::size_t>(c)] =
          stationary_address(first_row_ + row, first_column_ + c);
    }
  }
  ask_skewed(moving, fold_cycle_ - rows_, used_rows_,
             [this](int r, std::int64_t time) { return moving_address(first_row_ + r, time); });
  ask_skewed(ofmap_, fold_cycle_ - (2 * rows_ - 1), used_columns_,
             [this, weights](int c, std::int64_t time) {
               return weights ? ofmap_address(time, first_column_ + c)
                              : ofmap_address(first_column_ + c, time);
             });
}

void FoldWalker::ask_outputs() {
  ask_skewed(ifmap_, fold_cycle_, used_rows_,
             [this](int r, std::int64_t k) { return ifmap_address(first_row_ + r, k); });
  ask_skewed(filter_, fold_cycle_, used_columns_,
             [this](int c, std::int64_t k) { return filter_address(k, first_column_ + c); });
  const std::int64_t drained = fold_cycle_ - (time_ + rows_ + columns_ - 2);
  const std::int64_t row = rows_ - 1 - drained;
  if (drained < 0 || row >= used_rows_) return;
  ofmap_.last = ofmap_.count = used_columns_;
  for (int c = 0; c < used_columns_; ++c) {
    ofmap_.address[static_cast<std::size_t>(c)] =
        ofmap_address(first_row_ + row, first_column_ + c);
  }
}

bool FoldWalker::step() {
  for (PortRequests* requests : {&ifmap_, &filter_, &ofmap_}) clear(*requests);
  // The fold's last sum leaves the far corner: column C - 1 of the last element (stationary
  // operand), row 0 (outputs).
  const bool done =
      fold_cycle_ < 0 ||
      (dataflow_ == Stationary::output ? fold_cycle_ == time_ + rows_ + columns_ - 2 + rows_ - 1
                                       : fold_cycle_ == 2 * rows_ - 1 + time_ - 1 + columns_ - 1);
  if (!done) {
    ++fold_cycle_;
  } else if (!next_fold()) {
    return false;
  }
  ++cycle_;
  if (dataflow_ == Stationary::output) {
    ask_outputs();
  } else {
    ask_stationary();
  }
  return true;
}

}  // namespace sagitta
