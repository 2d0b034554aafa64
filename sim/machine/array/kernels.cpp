#include "machine/array/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine/array/kernels.cpp"  // compiled once for each target
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace sagitta::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void MultiplyAccumulate(const std::int8_t* HWY_RESTRICT a, const std::int8_t* HWY_RESTRICT b,
                        const std::int32_t* HWY_RESTRICT acc, std::int32_t* HWY_RESTRICT out,
                        std::size_t n) {
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR  // whose vectors of one element have no halves
  // An int8 product fits 16 bits: |-128 * -128| = 2^14.
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<std::int8_t, decltype(d16)> d8;
  const hn::RepartitionToWide<decltype(d16)> d32;
  const hn::Half<decltype(d16)> half;
  const std::size_t lanes = hn::Lanes(d16);
  for (; i + lanes <= n; i += lanes) {
    const auto product =
        hn::Mul(hn::PromoteTo(d16, hn::LoadU(d8, a + i)), hn::PromoteTo(d16, hn::LoadU(d8, b + i)));
    const auto low = hn::PromoteTo(d32, hn::LowerHalf(half, product));
    const auto high = hn::PromoteTo(d32, hn::UpperHalf(half, product));
    hn::StoreU(hn::Add(hn::LoadU(d32, acc + i), low), d32, out + i);
    const std::size_t second = i + lanes / 2;
    hn::StoreU(hn::Add(hn::LoadU(d32, acc + second), high), d32, out + second);
  }
#endif
  for (; i < n; ++i) {
    out[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(acc[i]) +
                                       static_cast<std::uint32_t>(a[i] * b[i]));
  }
}

}  // namespace sagitta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sagitta {

HWY_EXPORT(MultiplyAccumulate);

void multiply_accumulate(const std::int8_t* a, const std::int8_t* b, const std::int32_t* acc,
                         std::int32_t* out, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(MultiplyAccumulate)(a, b, acc, out, n);
}

}  // namespace sagitta
#endif
