// Where the machine's state lives. Every flip-flop and every SRAM bit is declared once, here, by
// the block that owns it; the declaration gives its path, width, storage class, place in the state
// and, through fault/, its fault sites.
//
// State has two regions:
//  - pipeline: double-buffered. A cycle reads `now` and writes `next`; the clock edge swaps them.
//    What one block shows to another must be here, so that blocks may be stepped in any order.
//  - held: single-buffered, for memories and for parameters that only their own block reads. A
//    block uses them first and updates them last within its step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sagitta {

enum class Storage : std::uint8_t { flip_flop, sram };
enum class Region : std::uint8_t { pipeline, held };

// An array of like registers: `path` has one "[]" for each dimension, e.g. "array.pe[][].acc".
struct RegisterClass {
  std::string path;
  std::vector<int> extents;           // one for each "[]"
  std::vector<std::int64_t> strides;  // in elements, one for each "[]"
  int width = 1;                      // bits, at most 8 * element_bytes
  bool is_signed = false;             // narrower than its element: sign-extended when stored
  Storage storage = Storage::flip_flop;
  Region region = Region::pipeline;
  std::size_t offset = 0;  // bytes from the start of its region
  int element_bytes = 1;   // 1, 2, 4 or 8

  std::int64_t elements() const;
  std::int64_t bits() const { return elements() * width; }
  // Where an element (counted row-major) lies, in elements from the first one.
  std::int64_t place(std::int64_t element) const;
};

// One cycle's view of the state: what a step reads and writes.
struct Cycle {
  const std::byte* now;
  std::byte* next;
  std::byte* held;
};

// Handle of an array of T in the pipeline region.
template <typename T>
struct Pipe {
  std::size_t offset = 0;
  std::size_t count = 0;
  const T* now(const Cycle& c) const { return reinterpret_cast<const T*>(c.now + offset); }
  const T* now(const std::byte* now_base) const {
    return reinterpret_cast<const T*>(now_base + offset);
  }
  T* next(const Cycle& c) const { return reinterpret_cast<T*>(c.next + offset); }
};

// Handle of an array of T in the held region.
template <typename T>
struct Held {
  std::size_t offset = 0;
  std::size_t count = 0;
  T* at(const Cycle& c) const { return reinterpret_cast<T*>(c.held + offset); }
  const T* at(const std::byte* held_base) const {
    return reinterpret_cast<const T*>(held_base + offset);
  }
};

// Collects declarations and assigns places. Arrays are 64-byte aligned and tail-padded by
// `slack` bytes, so that vector code may read a little past the end.
class RegisterLayout {
 public:
  // Places a raw array in a region; declare() then names (parts of) it.
  template <typename T>
  Pipe<T> place_pipe(std::size_t count) {
    return {allocate(Region::pipeline, count * sizeof(T)), count};
  }
  template <typename T>
  Held<T> place_held(std::size_t count) {
    return {allocate(Region::held, count * sizeof(T)), count};
  }

  // Names registers that lie at `offset` of `region`. Strides default to row-major order.
  void declare(RegisterClass registers);

  // The common case: a dense array that is one register class.
  template <typename T>
  Pipe<T> pipe(const std::string& path, const std::vector<int>& extents, int width) {
    const auto handle = place_pipe<T>(product(extents));
    declare_dense<T>(path, extents, width, Storage::flip_flop, Region::pipeline, handle.offset);
    return handle;
  }
  template <typename T>
  Held<T> held(const std::string& path, const std::vector<int>& extents, int width,
               Storage storage = Storage::flip_flop) {
    const auto handle = place_held<T>(product(extents));
    declare_dense<T>(path, extents, width, storage, Region::held, handle.offset);
    return handle;
  }

  const std::vector<RegisterClass>& classes() const { return classes_; }
  std::size_t pipeline_bytes() const { return pipeline_bytes_; }
  std::size_t held_bytes() const { return held_bytes_; }

 private:
  static std::size_t product(const std::vector<int>& extents);
  std::size_t allocate(Region region, std::size_t bytes);

  template <typename T>
  void declare_dense(const std::string& path, const std::vector<int>& extents, int width,
                     Storage storage, Region region, std::size_t offset) {
    RegisterClass c;
    c.path = path;
    c.extents = extents;
    c.width = width;
    c.is_signed = static_cast<T>(-1) < T{0};
    c.storage = storage;
    c.region = region;
    c.offset = offset;
    c.element_bytes = static_cast<int>(sizeof(T));
    declare(std::move(c));
  }

  std::vector<RegisterClass> classes_;
  std::size_t pipeline_bytes_ = 0;
  std::size_t held_bytes_ = 0;
};

// The whole state of one machine: one contiguous block [pipeline][held][pipeline]. A snapshot is
// one copy of the current pipeline half with the held region beside it.
class MachineState {
 public:
  explicit MachineState(const RegisterLayout& layout);

  void reset();  // every bit zero: the state that reset leaves
  Cycle cycle() { return {pipeline(now_), pipeline(1 - now_), held()}; }
  const std::byte* now() const { return pipeline(now_); }
  const std::byte* held() const { return block_.data() + pipeline_bytes_; }
  std::byte* held() { return block_.data() + pipeline_bytes_; }
  void clock_edge() { now_ = 1 - now_; }

  // Whether the last clock edge changed no pipeline register. Says nothing after a restore or a
  // change from outside until a cycle has passed.
  bool pipeline_unchanged() const;

  // Address of an element of a register class in the current state.
  std::byte* address(const RegisterClass& registers, std::int64_t element_offset);

  std::size_t snapshot_bytes() const { return pipeline_bytes_ + held_bytes_; }
  void save(std::vector<std::byte>& snapshot);
  // Of a snapshot's first pipeline_bytes alone: leaves the held region as it is.
  void restore(const std::vector<std::byte>& snapshot);
  bool equals(const std::vector<std::byte>& snapshot) const;
  // Places in a region of the bytes that differ from the snapshot's, in order; of more than `most`
  // it gives up and returns false.
  bool differences(Region region, const std::vector<std::byte>& snapshot, std::size_t most,
                   std::vector<std::size_t>& places) const;

 private:
  const std::byte* pipeline(int which) const {
    return block_.data() + (which == 0 ? 0 : pipeline_bytes_ + held_bytes_);
  }
  std::byte* pipeline(int which) {
    return block_.data() + (which == 0 ? 0 : pipeline_bytes_ + held_bytes_);
  }

  std::size_t pipeline_bytes_;
  std::size_t held_bytes_;
  std::vector<std::byte> block_;
  int now_ = 0;
};

}  // namespace sagitta
