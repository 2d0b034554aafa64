// SQLite's errors as the user is told about them.
#pragma once

#include <exception>

#include <SQLiteCpp/Exception.h>

#include "campaign/store.h"

namespace sagitta {

template <typename Work>
auto Store::guarded(Work work) const {
  try {
    return work();
  } catch (const SQLite::Exception& e) {
    fail(e);
  }
}

}  // namespace sagitta
