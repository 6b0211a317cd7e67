// host.cpp: a host in C++: handles that close themselves, failures as exceptions, a function of the host that throws.
// No exception may pass through Lua's frames, so a registered function ends in a catch that hands it on as an error of
// the script; and what a script fails with becomes an exception again.
#include <ptlua.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace pt {

struct error : std::runtime_error {
  pt_status code;
  explicit error(const std::string &what) : std::runtime_error(what), code(pt_error_code()) {}
};

// Owns the tensors that calls return until the block ends.
class scope {
  pt_scope id = pt_scope_begin();

public:
  scope() = default;
  scope(const scope &) = delete;
  scope &operator=(const scope &) = delete;
  ~scope() { pt_scope_end(id); }
};

// A tensor that is kept beyond its scope.
struct release {
  void operator()(pt_tensor *x) const { pt_release(x); }
};
using tensor = std::unique_ptr<pt_tensor, release>;
inline tensor keep(pt_tensor *x) {
  if (x == nullptr) throw error(pt_error());
  return tensor(pt_retain(x));
}

// A vector as a tensor, without a copy: the tensor owns it.
inline pt_tensor *from(std::vector<float> values) {
  auto *held = new std::vector<float>(std::move(values));
  const int64_t n = static_cast<int64_t>(held->size());
  pt_tensor *x = pt_from_host(
      held->data(), &n, 1, PT_F32, [](void *ud) { delete static_cast<std::vector<float> *>(ud); },
      held);
  if (x == nullptr) throw error(pt_error());
  return x;
}

class vm {
  using function = std::function<void(pt_call *)>;
  std::vector<std::unique_ptr<function>> functions; // outlive the state that calls them
  std::unique_ptr<pt_vm, void (*)(pt_vm *)> state;

  void check(pt_status code) const {
    if (code != PT_OK) throw error(pt_vm_error(state.get()));
  }
  static bool enter(pt_call *call, void *ud) noexcept {
    try {
      (*static_cast<function *>(ud))(call);
      return true;
    } catch (const std::exception &e) {
      return pt_set_error(PT_ELUA, e.what());
    } catch (...) {
      return pt_set_error(PT_ELUA, "an exception that is no std::exception");
    }
  }

public:
  explicit vm(pt_sandbox sandbox = PT_SANDBOX_NONE) : state(nullptr, pt_vm_close) {
    pt_vm_config config = {};
    config.size = sizeof config;
    config.sandbox = sandbox;
    state.reset(pt_vm_open(&config));
    if (!state) throw error(pt_error());
  }
  void run(const std::string &source) {
    check(pt_vm_run_string(state.get(), source.data(), source.size(), "=host"));
  }
  template <class... Args> void call(const char *name, const char *format, Args... args) {
    check(pt_vm_call(state.get(), name, format, args...));
  }
  void add(const char *name, const char *signature, function f) {
    functions.push_back(std::make_unique<function>(std::move(f)));
    check(pt_vm_register(state.get(), name, enter, functions.back().get(), signature));
  }
};

} // namespace pt

int main() {
  try {
    pt::vm vm(PT_SANDBOX_FILES);
    vm.add("measure", "n>n", [](pt_call *c) {
      if (pt_call_number(c, 0) < 0) throw std::domain_error("no square root of a negative number");
      pt_call_return(c, std::sqrt(pt_call_number(c, 0)));
    });
    vm.run("function norm(x) return measure((x * x):sum():item()) end\n"
           "function double(x) return x * 2 end");

    double norm = 0;
    pt::tensor kept;
    {
      pt::scope scope;
      pt_tensor *y = nullptr;
      vm.call("norm", "T>n", pt::from({3, 4}), &norm);
      vm.call("double", "T>T", pt::from({1, 2, 3}), &y);
      kept = pt::keep(y);
    }
    std::printf("norm %g, last %g\n", norm, static_cast<const float *>(pt_data(kept.get()))[2]);

    // An exception of the host's function, through the script, and back.
    try {
      vm.run("local ok, why = pcall(measure, -1)\nassert(not ok)\nerror(why, 0)");
    } catch (const pt::error &e) {
      std::printf("caught: %s\n", e.what());
    }
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "host: %s\n", e.what());
    return 1;
  }
}
