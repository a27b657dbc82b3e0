// What XLA calls: it hands over buffers and asks, once, which version of its interface this was made for.
#include "xla/ffi/api/c_api.h"

template <class T> INLINE const T *argument(const XLA_FFI_CallFrame *frame, int place) {
  return (const T *)((const XLA_FFI_Buffer *)frame->args.args[place])->data;
}

template <class T> INLINE T *result(const XLA_FFI_CallFrame *frame, int place) {
  return (T *)((const XLA_FFI_Buffer *)frame->rets.rets[place])->data;
}

INLINE int64_t extent(const XLA_FFI_CallFrame *frame, int place, int axis) {
  return ((const XLA_FFI_Buffer *)frame->args.args[place])->dims[axis];
}

static void execute(const XLA_FFI_CallFrame *frame);

extern "C" XLA_FFI_Error *handler(XLA_FFI_CallFrame *frame) {
  const auto *extension = frame->extension_start; // its type has another name in jaxlib 0.12
  if (extension && extension->type == XLA_FFI_Extension_Metadata) {
    XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)extension)->metadata;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  } else if (frame->stage == XLA_FFI_ExecutionStage_EXECUTE) {
    execute(frame);
  }
  return nullptr;
}
