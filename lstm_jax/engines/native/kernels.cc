// The LSTM on CPUs: z = x W_x + h W_h + b, then the gates, over all steps of a layer in one call;
// and the product of a few rows with weights that were packed beforehand, which decoding repeats.
//
// XLA multiplies the small matrices of a step on one thread, and packs the weights at every step.
// Here, weights are packed once per call, one product of a few rows computes the four gates of the
// same units, and the gates are computed while their z is still in registers.
//
// The file has two parts. The first is common: threads, arguments, and the entry points that XLA
// calls. The second, below #else, is the arithmetic. The first part includes it once for each
// instruction set, and the set to use is chosen when the library is loaded.
//
// Weights lie in panels, [block of units][row of the kernel][vector of units of each gate], so that
// the product reads them in one stream.

#ifndef LSTM_PATH

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Floats = ffi::Buffer<ffi::F32>;
using Flags = ffi::Buffer<ffi::PRED>;
using Result = ffi::ResultBuffer<ffi::F32>;

constexpr size_t kAhead = 65536;    // floats of x W_x computed in advance: a quarter of a MB
constexpr size_t kTogether = 512;   // rows of [x, h] in one partial sum of dW
constexpr size_t kLarge = 1 << 20;  // bytes of W_h that may not fit into a core's own cache
constexpr size_t kColumns = 64;     // columns of a panel of packed weights, as in product.py

// Memory of a call, aligned to a cache line.
class Scratch {
 public:
  explicit Scratch(size_t floats)
      : data_(static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 127) / 64 * 64))) {}
  ~Scratch() { std::free(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* get() const { return data_; }

 private:
  float* data_;
};

// Waits for a moment, and after a while yields to other threads, which may be those waited for.
class Patience {
 public:
  void wait() {
    if (++turns_ > 1000) std::this_thread::yield();
#if defined(__x86_64__)
    else __builtin_ia32_pause();
#endif
  }

 private:
  int turns_ = 0;
};

size_t threads_of(const ffi::ThreadPool& pool) {
  return std::max<int64_t>(1, pool.num_threads());
}

// Calls f(item) for every item, on this thread and on those of the pool that arrive in time. A pool
// guarantees no threads: whichever arrives takes the next item, and late ones have nothing to do.
template <class F>
void for_each(ffi::ThreadPool& pool, size_t items, const F& f) {
  struct Shared {
    std::atomic<size_t> next{0}, done{0};
  };
  auto shared = std::make_shared<Shared>();
  const F* work = &f;  // alive until all items are done, and not called after that
  auto take = [shared, work, items] {
    for (size_t item; (item = shared->next.fetch_add(1)) < items;) {
      (*work)(item);
      shared->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (size_t i = 1; i < std::min(items, threads_of(pool)); ++i) pool.Schedule(decltype(take)(take));
  take();
  for (Patience patience; shared->done.load(std::memory_order_acquire) < items;) patience.wait();
}

// The threads that work on one call together and wait for each other after every step.
class Team {
 public:
  size_t size() const { return size_; }

  void barrier() {
    if (size_ == 1) return;
    const int turn = turn_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);
    } else {
      for (Patience patience; turn_.load(std::memory_order_acquire) == turn;) patience.wait();
    }
  }

  // Calls f(member, team) on this thread and on those that arrive within 100 microseconds. Then the
  // team is closed, so that no thread waits for one that may never arrive.
  template <class F>
  static void work(ffi::ThreadPool& pool, size_t wanted, const F& f) {
    auto team = std::make_shared<Team>();
    const F* body = &f;
    auto join = [team, body] {
      int members = team->members_.load(std::memory_order_relaxed);
      do {
        if (members < 0) return;  // closed
      } while (!team->members_.compare_exchange_weak(members, members + 1));
      for (Patience patience; team->members_.load(std::memory_order_acquire) >= 0;) patience.wait();
      (*body)(members, *team);
      team->left_.fetch_add(1, std::memory_order_release);
    };
    for (size_t i = 1; i < wanted; ++i) pool.Schedule(decltype(join)(join));
    using Clock = std::chrono::steady_clock;
    const auto limit = Clock::now() + std::chrono::microseconds(100);
    Patience patience;
    while (team->members_.load() < int(wanted) && Clock::now() < limit) patience.wait();
    int members = team->members_.load();
    do {
      team->size_ = members;
    } while (!team->members_.compare_exchange_weak(members, -1));
    f(0, *team);
    Patience last;
    while (team->left_.load(std::memory_order_acquire) < team->size_ - 1) last.wait();
  }

 private:
  std::atomic<int> members_{1};  // negative: closed
  std::atomic<int> arrived_{0}, turn_{0}, left_{0};
  int size_ = 1;
};

// The arrays that a call reads and writes, row by row: xs (T, B, D), hs (T, B, H), gates and dz
// (T, B, 4H), states (B, H), flags (T, B). Missing arrays are null.
struct Call {
  size_t T, B, D, H;
  bool reverse;
  const float *xs, *Wx, *Wh, *bias, *h0, *c0, *initial_h, *initial_c;
  const bool *valid, *starts;
  float *hs, *hT, *cT, *gates, *h_before, *c_before;
  const float *dhs, *dhT, *dcT;
  float *dz, *dh0, *dc0, *dinitial_h, *dinitial_c, *dWx, *dWh, *db, *dx;

  size_t time(size_t step) const { return reverse ? T - 1 - step : step; }
};

// The share of one thread: rows [r0, r1) of the batch, and blocks [u0, u1) of units.
struct Share {
  size_t r0, r1, u0, u1;
};

// One product y = x W + b: xs (rows, K), y (rows, columns), and W in panels (·, K, kColumns), of
// float32 or of float16.
struct Dense {
  size_t rows, K, columns;
  const float *xs, *bias;
  const float* floats;     // the panels, or null
  const uint16_t* halves;  // the panels, or null
  float* ys;
};

size_t parts(size_t whole, size_t most) { return (whole + most - 1) / most; }
size_t cut(size_t whole, size_t parts, size_t i) { return whole * i / parts; }

// Returns whether threads share the units of a layer rather than its rows. Rows do not have to wait
// for each other, but a few rows leave threads idle, or make each read all of a large W_h.
bool by_units(const Call& call, size_t threads) {
  const size_t bytes = 16 * call.H * call.H;
  return call.B < 4 * threads || (bytes > kLarge && call.B < 16 * threads);
}

}  // namespace

#define LSTM_PATH portable
#define LSTM_WIDTH 4
#define LSTM_ROWS 3
#include __FILE__
#undef LSTM_PATH
#undef LSTM_WIDTH
#undef LSTM_ROWS

#if defined(__x86_64__)
#define LSTM_PATH avx2
#define LSTM_WIDTH 8
#define LSTM_ROWS 3
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#include __FILE__
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef LSTM_PATH
#undef LSTM_WIDTH
#undef LSTM_ROWS

#define LSTM_PATH avx512
#define LSTM_WIDTH 16
#define LSTM_ROWS 6
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx2,fma,f16c"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx2,fma,f16c")
#endif
#include __FILE__
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef LSTM_PATH
#undef LSTM_WIDTH
#undef LSTM_ROWS
#endif

namespace {

struct Path {
  const char* name;
  void (*forward)(const Call&, ffi::ThreadPool&);
  void (*backward)(const Call&, ffi::ThreadPool&);
  void (*weights)(const Call&, ffi::ThreadPool&);
  void (*inputs)(const Call&, ffi::ThreadPool&);
  void (*multiply)(const Dense&, ffi::ThreadPool&);
};

// Returns the widest instruction set of this processor, or the one named by `wanted`.
Path choose(const char* wanted) {
  const auto named = [&](const char* name) { return !wanted || !std::strcmp(wanted, name); };
#if defined(__x86_64__)
  if (named("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return {"avx512",        avx512::forward, avx512::backward,
            avx512::weights, avx512::inputs,  avx512::multiply};
  if (named("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    return {"avx2", avx2::forward, avx2::backward, avx2::weights, avx2::inputs, avx2::multiply};
#endif
  return {"portable",        portable::forward, portable::backward,
          portable::weights, portable::inputs,  portable::multiply};
}

Path path = choose(nullptr);

template <class B>
auto* data_of(const B& buffer) {
  return buffer.element_count() ? buffer.typed_data() : nullptr;
}

ffi::Error forward(ffi::ThreadPool pool, Floats xs, Floats Wx, Floats Wh, Floats bias, Floats h0,
                   Floats c0, Flags valid, Flags starts, Floats initial_h, Floats initial_c,
                   bool reverse, Result hs, Result hT, Result cT, float* gates, float* h_before,
                   float* c_before) {
  Call call{};
  const auto shape = xs.dimensions();
  call.T = shape[0], call.B = shape[1], call.D = shape[2], call.H = Wh.dimensions()[0];
  call.reverse = reverse;
  call.xs = xs.typed_data(), call.Wx = Wx.typed_data(), call.Wh = Wh.typed_data();
  call.bias = data_of(bias), call.h0 = h0.typed_data(), call.c0 = c0.typed_data();
  call.initial_h = data_of(initial_h), call.initial_c = data_of(initial_c);
  call.valid = data_of(valid), call.starts = data_of(starts);
  call.hs = hs->typed_data(), call.hT = hT->typed_data(), call.cT = cT->typed_data();
  call.gates = gates, call.h_before = h_before, call.c_before = c_before;
  path.forward(call, pool);
  return ffi::Error::Success();
}

ffi::Error run(ffi::ThreadPool pool, Floats xs, Floats Wx, Floats Wh, Floats bias, Floats h0,
               Floats c0, Flags valid, Flags starts, Floats initial_h, Floats initial_c,
               bool reverse, Result hs, Result hT, Result cT) {
  return forward(pool, xs, Wx, Wh, bias, h0, c0, valid, starts, initial_h, initial_c, reverse, hs,
                 hT, cT, nullptr, nullptr, nullptr);
}

ffi::Error keep(ffi::ThreadPool pool, Floats xs, Floats Wx, Floats Wh, Floats bias, Floats h0,
                Floats c0, Flags valid, Flags starts, Floats initial_h, Floats initial_c,
                bool reverse, Result hs, Result hT, Result cT, Result gates, Result h_before,
                Result c_before) {
  return forward(pool, xs, Wx, Wh, bias, h0, c0, valid, starts, initial_h, initial_c, reverse, hs,
                 hT, cT, gates->typed_data(), h_before->typed_data(), c_before->typed_data());
}

ffi::Error backward(ffi::ThreadPool pool, Floats Wh, Floats gates, Floats c_before, Flags valid,
                    Flags starts, Floats dhs, Floats dhT, Floats dcT, bool reverse, Result dz,
                    Result dh0, Result dc0, Result dinitial_h, Result dinitial_c) {
  Call call{};
  const auto shape = dhs.dimensions();
  call.T = shape[0], call.B = shape[1], call.H = shape[2];
  call.reverse = reverse;
  call.Wh = Wh.typed_data();
  call.gates = const_cast<float*>(gates.typed_data());
  call.c_before = const_cast<float*>(c_before.typed_data());
  call.valid = data_of(valid), call.starts = data_of(starts);
  call.dhs = dhs.typed_data(), call.dhT = dhT.typed_data(), call.dcT = dcT.typed_data();
  call.dz = dz->typed_data(), call.dh0 = dh0->typed_data(), call.dc0 = dc0->typed_data();
  call.dinitial_h = dinitial_h->typed_data(), call.dinitial_c = dinitial_c->typed_data();
  std::memset(call.dinitial_h, 0, call.B * call.H * 4);
  std::memset(call.dinitial_c, 0, call.B * call.H * 4);
  path.backward(call, pool);
  return ffi::Error::Success();
}

ffi::Error weights(ffi::ThreadPool pool, Floats xs, Floats h_before, Floats dz, Result dWx,
                   Result dWh, Result db) {
  Call call{};
  const auto shape = xs.dimensions();
  call.T = shape[0], call.B = shape[1], call.D = shape[2], call.H = h_before.dimensions()[2];
  call.xs = xs.typed_data(), call.h_before = const_cast<float*>(h_before.typed_data());
  call.dz = const_cast<float*>(dz.typed_data());
  call.dWx = dWx->typed_data(), call.dWh = dWh->typed_data(), call.db = db->typed_data();
  path.weights(call, pool);
  return ffi::Error::Success();
}

ffi::Error inputs(ffi::ThreadPool pool, Floats Wx, Floats dz, Result dx) {
  Call call{};
  const auto shape = dz.dimensions();
  call.T = shape[0], call.B = shape[1], call.H = shape[2] / 4, call.D = Wx.dimensions()[0];
  call.Wx = Wx.typed_data(), call.dz = const_cast<float*>(dz.typed_data());
  call.dx = dx->typed_data();
  path.inputs(call, pool);
  return ffi::Error::Success();
}

ffi::Error multiply(ffi::ThreadPool pool, Floats xs, ffi::AnyBuffer panels, Floats bias,
                    Result ys) {
  Dense dense{};
  const auto shape = xs.dimensions();
  dense.rows = shape[0], dense.K = shape[1], dense.columns = bias.dimensions()[0];
  dense.xs = xs.typed_data(), dense.bias = bias.typed_data(), dense.ys = ys->typed_data();
  if (panels.element_type() == ffi::F32) dense.floats = panels.reinterpret_data<float>();
  else if (panels.element_type() == ffi::F16) dense.halves = panels.reinterpret_data<uint16_t>();
  else return ffi::Error::InvalidArgument("panels must be float32 or float16");
  path.multiply(dense, pool);
  return ffi::Error::Success();
}

auto bound() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
      .Arg<Flags>().Arg<Flags>().Arg<Floats>().Arg<Floats>()
      .Attr<bool>("reverse")
      .Ret<Floats>().Ret<Floats>().Ret<Floats>();
}

}  // namespace

// engine.py and product.py look up these names.
extern "C" const char* lstm_path() { return path.name; }
extern "C" const char* lstm_take(const char* name) { return (path = choose(name)).name; }

XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward, run, bound());
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_keep, keep,
                              bound().Ret<Floats>().Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    lstm_backward, backward,
    ffi::Ffi::Bind()
        .Ctx<ffi::ThreadPool>()
        .Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Flags>().Arg<Flags>()
        .Arg<Floats>().Arg<Floats>().Arg<Floats>()
        .Attr<bool>("reverse")
        .Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_weights, weights,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Floats>().Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>().Ret<Floats>().Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_inputs, inputs,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Floats>().Arg<Floats>()
                                  .Ret<Floats>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_multiply, multiply,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Floats>().Arg<ffi::AnyBuffer>().Arg<Floats>()
                                  .Ret<Floats>());

#else  // the arithmetic, for one set of instructions

namespace {
namespace LSTM_PATH {

constexpr size_t W = LSTM_WIDTH;
typedef float vec __attribute__((vector_size(4 * LSTM_WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * LSTM_WIDTH)));
typedef float loose __attribute__((vector_size(4 * LSTM_WIDTH), aligned(4), may_alias));

#define LSTM_INLINE inline __attribute__((always_inline))

LSTM_INLINE vec load(const float* p) { return *reinterpret_cast<const loose*>(p); }
LSTM_INLINE void store(float* p, vec v) { *reinterpret_cast<loose*>(p) = v; }

__attribute__((noinline)) void copy_few(float* to, const float* from, size_t lanes) {
  for (size_t j = 0; j < lanes; ++j) to[j] = from[j];
}

// Loads or stores the first lanes of a vector, at the end of a row of an array.
LSTM_INLINE vec load(const float* p, size_t lanes) {
  if (__builtin_expect(lanes >= W, 1)) return load(p);
  float few[W] = {};
  copy_few(few, p, lanes);
  return load(few);
}

LSTM_INLINE void store(float* p, vec v, size_t lanes) {
  if (__builtin_expect(lanes >= W, 1)) return store(p, v);
  float few[W];
  store(few, v);
  copy_few(p, few, lanes);
}

LSTM_INLINE vec clamp(vec x, float low, float high) {  // a NaN stays one
  x = x < low ? vec{} + low : x;
  return x > high ? vec{} + high : x;
}

// e^x - 1 = 2^n (e^r - 1) + (2^n - 1), with x = n ln 2 + r: precise near zero too. `x` must lie in
// [-87, 88]; `scale` is 2^n. The polynomial is a fit of (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2.
LSTM_INLINE vec expm1(vec x, vec& scale) {
  const vec magic = vec{} + 12582912.0f;  // 1.5 * 2^23: a sum with it is rounded to an integer
  const vec shifted = x * 1.44269504f + magic;
  const vec n = shifted - magic;
  const vec r = (x - n * 0.693145752f) - n * 1.42860677e-06f;
  vec p = r * 0.0013933734f + 0.008363236f;
  p = p * r + 0.041666463f;
  p = p * r + 0.16666576f;
  p = p * r + 0.5f;
  scale = reinterpret_cast<vec>((reinterpret_cast<ints>(shifted) << 23) + 0x3f800000);
  return scale * (p * (r * r) + r) + (scale - 1.0f);
}

LSTM_INLINE vec sigmoid(vec x) {
  vec scale;
  return 1.0f / (2.0f + expm1(clamp(-x, -87.0f, 88.0f), scale));
}

LSTM_INLINE vec tanh(vec x) {
  vec scale;
  const vec e = expm1(clamp(2.0f * x, -20.0f, 20.0f), scale);
  return e / (e + 2.0f);
}

typedef uint16_t halves __attribute__((vector_size(2 * LSTM_WIDTH)));
typedef uint16_t loose_halves
    __attribute__((vector_size(2 * LSTM_WIDTH), aligned(2), may_alias));

// Converts finite float16, including subnormal numbers, to the float32 of the same value.
LSTM_INLINE vec load(const uint16_t* p) {
  const halves half = *reinterpret_cast<const loose_halves*>(p);
#if LSTM_WIDTH == 16
  return reinterpret_cast<vec>(_mm512_cvtph_ps(reinterpret_cast<__m256i>(half)));
#elif LSTM_WIDTH == 8
  return reinterpret_cast<vec>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(half)));
#else
  const ints bits = __builtin_convertvector(half, ints), size = bits & 0x7fff;
  const vec normal = reinterpret_cast<vec>((size << 13) + (112 << 23));
  const vec small = __builtin_convertvector(size, vec) * 0x1p-24f;
  const vec magnitude = size < 0x400 ? small : normal;
  return reinterpret_cast<vec>(reinterpret_cast<ints>(magnitude) | (bits & 0x8000) << 16);
#endif
}

// --- products -----------------------------------------------------------------------------------

constexpr size_t M = LSTM_ROWS, N = 4;  // rows and vectors that fit into the registers

// acc[m][n] += sum over k of rows[m][k] panel[k][n], for vectors n; nearly all time goes here. A
// row of the panel has `stride` numbers, or n vectors if the stride is 0.
template <size_t m, size_t n, class T, size_t stride>
void product(float* acc, const float* const* rows, const T* panel, size_t K) {
  vec sums[m][n];
#pragma GCC unroll 8
  for (size_t i = 0; i < m; ++i)
#pragma GCC unroll 8
    for (size_t j = 0; j < n; ++j) sums[i][j] = load(acc + (i * n + j) * W);
  const float* from[m];
  for (size_t i = 0; i < m; ++i) from[i] = rows[i];
  for (size_t k = 0; k < K; ++k, panel += stride ? stride : n * W) {
    vec a[m];
#pragma GCC unroll 8
    for (size_t i = 0; i < m; ++i) a[i] = vec{} + from[i][k];
#pragma GCC unroll 8
    for (size_t j = 0; j < n; ++j) {
      const vec w = load(panel + j * W);
#pragma GCC unroll 8
      for (size_t i = 0; i < m; ++i) sums[i][j] += a[i] * w;
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < m; ++i)
#pragma GCC unroll 8
    for (size_t j = 0; j < n; ++j) store(acc + (i * n + j) * W, sums[i][j]);
}

template <class T>
using Product = void (*)(float*, const float* const*, const T*, size_t);
template <class T, size_t S>
constexpr Product<T> kEvery[][N] = {
    {product<1, 1, T, S>, product<1, 2, T, S>, product<1, 3, T, S>, product<1, 4, T, S>},
    {product<2, 1, T, S>, product<2, 2, T, S>, product<2, 3, T, S>, product<2, 4, T, S>},
    {product<3, 1, T, S>, product<3, 2, T, S>, product<3, 3, T, S>, product<3, 4, T, S>},
#if LSTM_ROWS > 3
    {product<4, 1, T, S>, product<4, 2, T, S>, product<4, 3, T, S>, product<4, 4, T, S>},
    {product<5, 1, T, S>, product<5, 2, T, S>, product<5, 3, T, S>, product<5, 4, T, S>},
    {product<6, 1, T, S>, product<6, 2, T, S>, product<6, 3, T, S>, product<6, 4, T, S>},
#endif
};
constexpr auto& kProducts = kEvery<float, 0>;

// Cuts rows [0, n) into tiles of almost one size, and calls f(first row, number of rows).
template <class F>
void tiles(size_t n, const F& f) {
  const size_t count = parts(n, M);
  for (size_t i = 0; i < count; ++i) f(cut(n, count, i), cut(n, count, i + 1) - cut(n, count, i));
}

// Transposes a part of a matrix, in squares, because each number of a cache line that is read goes
// to a different line.
void transpose(const float* from, size_t from_stride, size_t rows, size_t columns, float* to,
               size_t to_stride) {
  for (size_t c0 = 0; c0 < columns; c0 += 16)
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = c0; c < std::min(c0 + 16, columns); ++c)
        to[c * to_stride + r] = from[r * from_stride + c];
}

// A panel of a kernel (rows, K) transposed: the vectors [v0, v1) of its rows, as columns.
void pack_transposed(const float* kernel, size_t rows, size_t K, size_t v0, size_t v1,
                     float* panel) {
  const size_t width = (v1 - v0) * W, first = v0 * W;
  if (first + width > rows) std::memset(panel, 0, K * width * 4);
  transpose(kernel + first * K, K, std::min(width, rows - first), K, panel, width);
}

// Copies rows of a (B, H) array between a dense and a padded layout.
void copy_in(const Call& call, const Share& share, const float* from, float* to, size_t padded) {
  const size_t first = share.u0 * W, end = std::min(share.u1 * W, call.H);
  for (size_t b = share.r0; b < share.r1; ++b) {
    std::memset(to + b * padded + first, 0, (share.u1 * W - first) * 4);
    std::memcpy(to + b * padded + first, from + b * call.H + first, (end - first) * 4);
  }
}

void copy_out(const Call& call, const Share& share, const float* from, float* to, size_t padded) {
  const size_t first = share.u0 * W, end = std::min(share.u1 * W, call.H);
  for (size_t b = share.r0; b < share.r1; ++b)
    std::memcpy(to + b * call.H + first, from + b * padded + first, (end - first) * 4);
}

// --- forward ------------------------------------------------------------------------------------

struct Forward {
  const Call& call;
  const float *Wx, *Wh, *bias;  // in panels
  float* h[2];                  // (B, padded H), before and after a step in turn
  float* c;
  size_t padded;
};

// Fetches the lines that `finish` writes to, while the product keeps the processor busy.
LSTM_INLINE void expect(const Forward& of, size_t s, size_t b, size_t unit) {
  const Call& call = of.call;
  const size_t H = call.H, at = call.time(s) * call.B + b;
  __builtin_prefetch(call.hs + at * H + unit, 1);
  if (!call.gates) return;
  for (size_t q = 0; q < 4; ++q) __builtin_prefetch(call.gates + (at * 4 + q) * H + unit, 1);
  __builtin_prefetch(call.h_before + at * H + unit, 1);
  __builtin_prefetch(call.c_before + at * H + unit, 1);
}

// One step of one row and one vector of units, once z is known.
LSTM_INLINE void finish(const Forward& of, size_t s, size_t b, size_t unit, const float* z) {
  const Call& call = of.call;
  const size_t H = call.H, at = call.time(s) * call.B + b, lanes = H - unit;
  float *before = of.h[s % 2] + b * of.padded + unit, *cell = of.c + b * of.padded + unit;
  const vec i = sigmoid(load(z)), f = sigmoid(load(z + W));
  const vec g = tanh(load(z + 2 * W)), o = sigmoid(load(z + 3 * W));
  const vec h_old = load(before), c_old = load(cell);
  vec c = f * c_old + i * g, h = o * tanh(c), out = h;
  if (call.valid && !call.valid[at]) c = c_old, h = h_old, out = vec{};
  store(cell, c);
  store(of.h[(s + 1) % 2] + b * of.padded + unit, h);
  store(call.hs + at * H + unit, out, lanes);
  if (!call.gates) return;
  const vec gates[4] = {i, f, g, o};
  for (size_t q = 0; q < 4; ++q) store(call.gates + (at * 4 + q) * H + unit, gates[q], lanes);
  store(call.h_before + at * H + unit, h_old, lanes);
  store(call.c_before + at * H + unit, c_old, lanes);
}

// z = x W_x + b for steps [s0, s0 + steps) and one block of units: z[step, row][gate][unit].
void read_inputs(const Forward& of, const Share& share, size_t s0, size_t steps, size_t u,
                 float* z) {
  const Call& call = of.call;
  const size_t n = share.r1 - share.r0;
  tiles(steps * n, [&](size_t row, size_t count) {
    const float* rows[M];
    for (size_t m = 0; m < count; ++m) {
      const size_t t = call.time(s0 + (row + m) / n), b = share.r0 + (row + m) % n;
      rows[m] = call.xs + (t * call.B + b) * call.D;
      std::memcpy(z + (row + m) * 4 * W, of.bias + u * 4 * W, 16 * W);
    }
    kProducts[count - 1][3](z + row * 4 * W, rows, of.Wx + u * call.D * 4 * W, call.D);
  });
}

// One step of all rows of a share and one block of units, from what `read_inputs` left in z.
void step(const Forward& of, const Share& share, size_t s, size_t u, float* z) {
  tiles(share.r1 - share.r0, [&](size_t row, size_t count) {
    const size_t b = share.r0 + row;
    const float* rows[M];
    for (size_t m = 0; m < count; ++m) {
      rows[m] = of.h[s % 2] + (b + m) * of.padded;
      expect(of, s, b + m, u * W);
    }
    const size_t H = of.call.H;
    kProducts[count - 1][3](z + row * 4 * W, rows, of.Wh + u * H * 4 * W, H);
    for (size_t m = 0; m < count; ++m) finish(of, s, b + m, u * W, z + (row + m) * 4 * W);
  });
}

// Puts the initial state where a segment starts at step s.
void reset(const Forward& of, const Share& share, size_t s) {
  const Call& call = of.call;
  if (!call.starts || s >= call.T) return;
  for (size_t b = share.r0; b < share.r1; ++b) {
    if (!call.starts[call.time(s) * call.B + b]) continue;
    const Share row{b, b + 1, share.u0, share.u1};
    copy_in(call, row, call.initial_h, of.h[s % 2], of.padded);
    copy_in(call, row, call.initial_c, of.c, of.padded);
  }
}

void forward_share(const Forward& of, const Share& share, Team& team) {
  const Call& call = of.call;
  const size_t n = share.r1 - share.r0, blocks = share.u1 - share.u0, row = 4 * W;
  const size_t most = std::min(call.T, std::max<size_t>(1, kAhead / (n * blocks * row + 1)));
  const Scratch z(most * n * blocks * row);
  copy_in(call, share, call.h0, of.h[0], of.padded);
  copy_in(call, share, call.c0, of.c, of.padded);
  reset(of, share, 0);
  team.barrier();
  for (size_t s0 = 0; s0 < call.T; s0 += most) {
    const size_t steps = std::min(most, call.T - s0);
    const auto block = [&](size_t u) { return z.get() + u * steps * n * row; };
    for (size_t u = 0; u < blocks; ++u) read_inputs(of, share, s0, steps, share.u0 + u, block(u));
    for (size_t s = 0; s < steps; ++s) {
      for (size_t u = 0; u < blocks; ++u)
        step(of, share, s0 + s, share.u0 + u, block(u) + s * n * row);
      reset(of, share, s0 + s + 1);
      team.barrier();
    }
  }
  copy_out(call, share, of.h[call.T % 2], call.hT, of.padded);
  copy_out(call, share, of.c, call.cT, of.padded);
}

// One block of units of a kernel (K, 4H), as a panel.
void pack(const float* kernel, size_t K, size_t H, size_t u, float* panel) {
  for (size_t k = 0; k < K; ++k)
    for (size_t q = 0; q < 4; ++q, panel += W)
      store(panel, load(kernel + (k * 4 + q) * H + u * W, H - u * W));
}

void forward(const Call& call, ffi::ThreadPool& pool) {
  const size_t blocks = parts(call.H, W), padded = blocks * W, threads = threads_of(pool);
  const Scratch Wx(blocks * call.D * 4 * W), Wh(blocks * call.H * 4 * W), bias(blocks * 4 * W);
  const Scratch h0(call.B * padded), h1(call.B * padded), c(call.B * padded);
  const Forward of{call, Wx.get(), Wh.get(), bias.get(), {h0.get(), h1.get()}, c.get(), padded};
  for_each(pool, blocks, [&](size_t u) {
    pack(call.Wx, call.D, call.H, u, Wx.get() + u * call.D * 4 * W);
    pack(call.Wh, call.H, call.H, u, Wh.get() + u * call.H * 4 * W);
    if (call.bias) pack(call.bias, 1, call.H, u, bias.get() + u * 4 * W);
    else std::memset(bias.get() + u * 4 * W, 0, 16 * W);
  });
  if (by_units(call, threads)) {
    Team::work(pool, std::min(threads, blocks), [&](size_t member, Team& team) {
      const size_t size = team.size();
      forward_share(of, {0, call.B, cut(blocks, size, member), cut(blocks, size, member + 1)},
                    team);
    });
  } else {
    for_each(pool, threads, [&](size_t i) {
      Team alone;
      forward_share(of, {cut(call.B, threads, i), cut(call.B, threads, i + 1), 0, blocks}, alone);
    });
  }
}

// --- backward -----------------------------------------------------------------------------------

// Panels of W_h transposed: panel p holds the vectors [first(p), first(p + 1)) of units.
struct Backward {
  const Call& call;
  const float* Wh;
  float* dc;     // (B, padded H)
  float* carry;  // dh that an invalid step passes on unchanged; null if all steps are valid
  size_t padded, vectors, panels;

  size_t first(size_t p) const { return cut(vectors, panels, p); }
};

// Fetches what `unfinish` reads and writes, while the product keeps the processor busy.
LSTM_INLINE void expect(const Backward& of, size_t s, size_t b, size_t unit) {
  const Call& call = of.call;
  const size_t H = call.H, at = call.time(s) * call.B + b;
  for (size_t q = 0; q < 4; ++q) __builtin_prefetch(call.gates + (at * 4 + q) * H + unit, 1);
  __builtin_prefetch(call.c_before + at * H + unit);
  __builtin_prefetch(call.dhs + at * H + unit);
}

// dL/dz of one step from dL/dh of the state after it, for one row and one vector of units. It may
// overwrite the gates, which are read first.
LSTM_INLINE void unfinish(const Backward& of, size_t s, size_t b, size_t unit, vec dh) {
  const Call& call = of.call;
  const size_t H = call.H, at = call.time(s) * call.B + b, lanes = H - unit;
  float *cell = of.dc + b * of.padded + unit, *dz = call.dz + at * 4 * H + unit;
  const bool valid = !call.valid || call.valid[at];
  vec dc = load(cell);
  if (of.carry) store(of.carry + b * of.padded + unit, valid ? vec{} : dh);
  if (valid) {
    const float* gates = call.gates + at * 4 * H + unit;
    const vec i = load(gates, lanes), f = load(gates + H, lanes);
    const vec g = load(gates + 2 * H, lanes), o = load(gates + 3 * H, lanes);
    const vec c_old = load(call.c_before + at * H + unit, lanes);
    const vec squashed = tanh(f * c_old + i * g);
    dh += load(call.dhs + at * H + unit, lanes);
    dc += dh * o * (1.0f - squashed * squashed);
    store(dz, dc * g * (i * (1.0f - i)), lanes);
    store(dz + H, dc * c_old * (f * (1.0f - f)), lanes);
    store(dz + 2 * H, dc * i * (1.0f - g * g), lanes);
    store(dz + 3 * H, dh * squashed * (o * (1.0f - o)), lanes);
    dc *= f;
  } else {
    for (size_t q = 0; q < 4; ++q) store(dz + q * H, vec{}, lanes);
  }
  if (call.starts && call.starts[at]) {
    float* initial = call.dinitial_c + b * H + unit;
    store(initial, load(initial, lanes) + dc, lanes);
    dc = vec{};
  }
  store(cell, dc);
}

// dL/dh of the state before step `next`, for a few rows and a panel of units, from dL/dz of that
// step; then dL/dz of the step before it, or at the start dL/dh_0.
void step_back(const Backward& of, size_t next, size_t p, size_t b0, size_t count) {
  const Call& call = of.call;
  const size_t H = call.H, unit0 = of.first(p) * W, vectors = of.first(p + 1) - of.first(p);
  const bool last = next == call.T;
  const size_t t = last ? 0 : call.time(next);
  alignas(64) float dh[M * N * W];
  const float* rows[M];
  const auto each = [&](auto f) {
    for (size_t m = 0; m < count; ++m)
      for (size_t v = 0; v < vectors; ++v) f(b0 + m, unit0 + v * W, dh + (m * vectors + v) * W);
  };
  for (size_t m = 0; m < count; ++m) rows[m] = call.dz + (t * call.B + b0 + m) * 4 * H;
  each([&](size_t b, size_t unit, float* to) {
    if (last) store(to, load(call.dhT + b * H + unit, H - unit));
    else store(to, of.carry ? load(of.carry + b * of.padded + unit) : vec{});
    if (next) expect(of, next - 1, b, unit);
  });
  if (!last) kProducts[count - 1][vectors - 1](dh, rows, of.Wh + 4 * H * unit0, 4 * H);
  each([&](size_t b, size_t unit, const float* from) {
    vec d = load(from);
    if (!last && call.starts && call.starts[t * call.B + b]) {
      float* initial = call.dinitial_h + b * H + unit;
      store(initial, load(initial, H - unit) + d, H - unit);
      d = vec{};
    }
    if (next) unfinish(of, next - 1, b, unit, d);
    else store(call.dh0 + b * H + unit, d, H - unit);
  });
}

void backward_share(const Backward& of, const Share& share, size_t p0, size_t p1, Team& team) {
  const Call& call = of.call;
  copy_in(call, share, call.dcT, of.dc, of.padded);
  for (size_t next = call.T + 1; next-- > 0;) {
    for (size_t p = p0; p < p1; ++p)
      tiles(share.r1 - share.r0, [&](size_t row, size_t count) {
        step_back(of, next, p, share.r0 + row, count);
      });
    team.barrier();
  }
  copy_out(call, share, of.dc, call.dc0, of.padded);
}

void backward(const Call& call, ffi::ThreadPool& pool) {
  const size_t vectors = parts(call.H, W), padded = vectors * W, threads = threads_of(pool);
  const bool split = by_units(call, threads);
  const size_t fewest = parts(vectors, N);
  const size_t panels = split ? std::min(vectors, parts(fewest, threads) * threads) : fewest;
  const Scratch Wh(4 * call.H * padded), dc(call.B * padded);
  const Scratch carry(call.valid ? call.B * padded : 0);
  const Backward of{call,   Wh.get(), dc.get(), call.valid ? carry.get() : nullptr,
                    padded, vectors,  panels};
  for_each(pool, panels, [&](size_t p) {
    const size_t v0 = of.first(p), K = 4 * call.H;
    pack_transposed(call.Wh, call.H, K, v0, of.first(p + 1), Wh.get() + K * v0 * W);
  });
  if (split) {
    Team::work(pool, std::min(threads, panels), [&](size_t member, Team& team) {
      const size_t p0 = cut(panels, team.size(), member), p1 = cut(panels, team.size(), member + 1);
      backward_share(of, {0, call.B, of.first(p0), of.first(p1)}, p0, p1, team);
    });
  } else {
    for_each(pool, threads, [&](size_t i) {
      Team alone;
      const Share share{cut(call.B, threads, i), cut(call.B, threads, i + 1), 0, vectors};
      backward_share(of, share, 0, panels, alone);
    });
  }
}

// --- the weights' gradients ---------------------------------------------------------------------

// Rows [k0, k1) of dW = [x, h]ᵀ dz, and its last thread db = Σ dz. Time and rows of the batch are
// one axis, read in parts that stay in a core's cache.
void weights_share(const Call& call, size_t k0, size_t k1, bool bias) {
  const size_t D = call.D, H = call.H, G = 4 * H, vectors = parts(G, W), panels = parts(vectors, N);
  const size_t all = call.T * call.B;
  const Scratch turned((k1 - k0) * kTogether), panel(kTogether * N * W);
  for (size_t n0 = 0; n0 < all; n0 += kTogether) {
    const size_t n = std::min(kTogether, all - n0);
    if (k0 < D)
      transpose(call.xs + n0 * D + k0, D, n, std::min(k1, D) - k0, turned.get(), kTogether);
    if (k1 > D) {
      const size_t first = std::max(k0, D);
      transpose(call.h_before + n0 * H + first - D, H, n, k1 - first,
                turned.get() + (first - k0) * kTogether, kTogether);
    }
    for (size_t p = 0; p < panels; ++p) {
      const size_t g0 = cut(vectors, panels, p) * W, g1 = cut(vectors, panels, p + 1) * W;
      const size_t width = (g1 - g0) / W;
      for (size_t r = 0; r < n; ++r)
        for (size_t v = 0; v < width; ++v) {
          const size_t g = g0 + v * W;
          const vec dz = load(call.dz + (n0 + r) * G + g, G - g);
          store(panel.get() + (r * width + v) * W, dz);
        }
      if (bias)
        for (size_t v = 0; v < width; ++v) {
          const size_t g = g0 + v * W;
          vec sum = n0 ? load(call.db + g, G - g) : vec{};
          for (size_t r = 0; r < n; ++r) sum += load(panel.get() + (r * width + v) * W);
          store(call.db + g, sum, G - g);
        }
      tiles(k1 - k0, [&](size_t row, size_t count) {
        alignas(64) float sums[M * N * W];
        const float* rows[M];
        float* to[M];
        for (size_t m = 0; m < count; ++m) {
          const size_t k = k0 + row + m;
          rows[m] = turned.get() + (row + m) * kTogether;
          to[m] = (k < D ? call.dWx + k * G : call.dWh + (k - D) * G) + g0;
          for (size_t v = 0; v < width; ++v)
            store(sums + (m * width + v) * W,
                  n0 ? load(to[m] + v * W, G - g0 - v * W) : vec{});
        }
        kProducts[count - 1][width - 1](sums, rows, panel.get(), n);
        for (size_t m = 0; m < count; ++m)
          for (size_t v = 0; v < width; ++v)
            store(to[m] + v * W, load(sums + (m * width + v) * W), G - g0 - v * W);
      });
    }
  }
}

void weights(const Call& call, ffi::ThreadPool& pool) {
  const size_t K = call.D + call.H, threads = std::min<size_t>(threads_of(pool), parts(K, M));
  for_each(pool, threads, [&](size_t i) {
    weights_share(call, cut(K, threads, i), cut(K, threads, i + 1), i + 1 == threads);
  });
}

// --- the inputs' gradients ----------------------------------------------------------------------

// dx = dz W_xᵀ, rows [r0, r1) of all steps and rows, in parts that fit into a core's cache.
void inputs_share(const Call& call, const float* Wx, size_t r0, size_t r1) {
  const size_t D = call.D, G = 4 * call.H, vectors = parts(D, W), panels = parts(vectors, N);
  const size_t most = std::max<size_t>(M, kAhead / G / M * M);
  for (size_t n0 = r0; n0 < r1; n0 += most)
    for (size_t p = 0; p < panels; ++p) {
      const size_t v0 = cut(vectors, panels, p), width = cut(vectors, panels, p + 1) - v0;
      tiles(std::min(most, r1 - n0), [&](size_t row, size_t count) {
        alignas(64) float sums[M * N * W] = {};
        const float* rows[M];
        for (size_t m = 0; m < count; ++m) rows[m] = call.dz + (n0 + row + m) * G;
        kProducts[count - 1][width - 1](sums, rows, Wx + G * v0 * W, G);
        for (size_t m = 0; m < count; ++m)
          for (size_t v = 0; v < width; ++v) {
            const size_t d = (v0 + v) * W;
            store(call.dx + (n0 + row + m) * D + d, load(sums + (m * width + v) * W), D - d);
          }
      });
    }
}

void inputs(const Call& call, ffi::ThreadPool& pool) {
  const size_t vectors = parts(call.D, W), panels = parts(vectors, N), G = 4 * call.H;
  const size_t all = call.T * call.B, threads = threads_of(pool);
  const Scratch Wx(G * vectors * W);
  for_each(pool, panels, [&](size_t p) {
    const size_t v0 = cut(vectors, panels, p);
    pack_transposed(call.Wx, call.D, G, v0, cut(vectors, panels, p + 1), Wx.get() + G * v0 * W);
  });
  for_each(pool, threads, [&](size_t i) {
    inputs_share(call, Wx.get(), cut(all, threads, i), cut(all, threads, i + 1));
  });
}

// --- products with weights that stay -------------------------------------------------------------

// Columns of y for one panel, whose elements are of type `T`.
template <class T>
void multiply_panel(const Dense& dense, const T* panel, size_t first) {
  const size_t end = std::min(first + kColumns, dense.columns);
  for (size_t column = first; column < end; column += N * W, panel += N * W) {
    const size_t vectors = std::min(parts(end - column, W), N);
    tiles(dense.rows, [&](size_t row, size_t count) {
      alignas(64) float sums[M * N * W];
      const float* rows[M];
      for (size_t m = 0; m < count; ++m) {
        rows[m] = dense.xs + (row + m) * dense.K;
        for (size_t v = 0; v < vectors; ++v) {
          const size_t at = column + v * W;
          store(sums + (m * vectors + v) * W, load(dense.bias + at, dense.columns - at));
        }
      }
      kEvery<T, kColumns>[count - 1][vectors - 1](sums, rows, panel, dense.K);
      for (size_t m = 0; m < count; ++m)
        for (size_t v = 0; v < vectors; ++v) {
          const size_t at = column + v * W;
          store(dense.ys + (row + m) * dense.columns + at, load(sums + (m * vectors + v) * W),
                dense.columns - at);
        }
    });
  }
}

void multiply(const Dense& dense, ffi::ThreadPool& pool) {
  const size_t size = dense.K * kColumns;
  for_each(pool, parts(dense.columns, kColumns), [&](size_t p) {
    if (dense.halves) multiply_panel(dense, dense.halves + p * size, p * kColumns);
    else multiply_panel(dense, dense.floats + p * size, p * kColumns);
  });
}

#undef LSTM_INLINE

}  // namespace LSTM_PATH
}  // namespace

#endif
