/* A stand-in for libedgetpu.so.1: the entry points, options and system calls of the real one, and no hardware.
 *
 * It takes every edgetpu-custom-op of a model, keeps the processor busy for as long as it is told, and writes into each
 * row of the outputs a pattern that follows from the same row of the inputs. What it is to do it reads from the
 * environment when a delegate is created:
 *
 *   FAKE_EDGETPU_LATENCY_US   busy time of one inference (default 0)
 *   FAKE_EDGETPU_DEVICES      what is plugged in, as kind=path, several apart by ; (default usb=/sys/bus/usb/devices/2-1)
 *   FAKE_EDGETPU_NODE         a file that it opens for writing and locks while one of its delegates lives
 *   FAKE_EDGETPU_CREATE       says this, and creates nothing
 *   FAKE_EDGETPU_PREPARE      says this, and refuses the model when it is handed over
 *   FAKE_EDGETPU_KERNEL       says this, and refuses the model when its tensors are allocated
 *   FAKE_EDGETPU_GONE_AFTER   inferences after which it fails as one that was pulled out
 *   FAKE_EDGETPU_CLAIM        0: takes no operator
 *   FAKE_EDGETPU_LOG          a file that gets a line for each option, as key=value
 *   FAKE_EDGETPU_VERSION      what edgetpu_version returns
 *
 * The structures are the beginnings of those of TensorFlow Lite's C interface (tensorflow/lite/core/c/common.h).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, ERROR = 1 };

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct {
    int type;
    void *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    Delegate *delegate;
    int buffer_handle;
    char data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;
typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data;
} Node;
typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external, *async_kernel;
    uint64_t inplace_operator;
} Registration;
struct Context {
    size_t tensors_size;
    int (*GetExecutionPlan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*ResizeTensor)(Context *, Tensor *, IntArray *);
    void (*ReportError)(Context *, const char *, ...);
    int (*AddTensors)(Context *, int, int *);
    int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
};
struct Delegate {
    void *data;
    int (*Prepare)(Context *, Delegate *);
    void *copy_from_buffer, *copy_to_buffer, *free_buffer;
    int64_t flags;
    void *opaque_builder;
};
typedef struct { Delegate *delegate; } DelegateParams;
typedef struct { int type; const char *path; } Device;

typedef struct {
    long latency_us, gone_after, inferences;
    int holds_node, claim;
    const char *prepare, *kernel;
} Settings;

static const char *text(const char *name) {
    const char *value = getenv(name);
    return value && *value ? strdup(value) : NULL;
}

static long number(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value && *value ? atol(value) : otherwise;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- the operator ---- */

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    (void)context, (void)length;
    return ((const DelegateParams *)buffer)->delegate->data;
}

static Tensor *input_of(Context *context, const Node *node) { return &context->tensors[node->inputs->data[0]]; }

static int rows(const Tensor *tensor) { return tensor->dims->size ? tensor->dims->data[0] : 1; }

/* Give each output as many rows as the input has, as the real one does for a batch. */
static int kernel_prepare(Context *context, Node *node) {
    const Settings *settings = node->user_data;
    if (settings->kernel) {
        context->ReportError(context, "%s", settings->kernel);
        return ERROR;
    }
    int batch = rows(input_of(context, node));
    for (int i = 0; i < node->outputs->size; i++) {
        Tensor *output = &context->tensors[node->outputs->data[i]];
        if (rows(output) == batch) continue;
        size_t size = sizeof(int) * (1 + output->dims->size);
        IntArray *dims = memcpy(malloc(size), output->dims, size);
        dims->data[0] = batch;
        if (context->ResizeTensor(context, output, dims) != OK) return ERROR;
    }
    return OK;
}

static void fill(const Tensor *input, Tensor *output) {
    int batch = rows(output);
    size_t in = input->bytes / batch, out = output->bytes / batch;
    for (int row = 0; row < batch; row++) {
        unsigned sum = 0;
        for (size_t i = 0; i < in; i++) sum += ((unsigned char *)input->data)[row * in + i];
        for (size_t i = 0; i < out; i++) ((unsigned char *)output->data)[row * out + i] = (sum + i) & 0x7f;
    }
}

static int kernel_invoke(Context *context, Node *node) {
    int64_t due_ns = now_ns();
    Settings *settings = node->user_data;
    due_ns += settings->latency_us * 1000;
    if (settings->gone_after >= 0 && settings->inferences++ >= settings->gone_after) {
        context->ReportError(context, "Deadline exceeded: USB transfer error 2 [LibUsbDataOutCallback]");
        return ERROR;
    }
    for (int i = 0; i < node->outputs->size; i++)
        fill(input_of(context, node), &context->tensors[node->outputs->data[i]]);
    while (now_ns() < due_ns) {
    }
    return OK;
}

/* ---- the delegate ---- */

static int is_ours(Context *context, int index) {
    Node *node;
    Registration *registration;
    if (context->GetNodeAndRegistration(context, index, &node, &registration) != OK) return 0;
    return registration->custom_name && strcmp(registration->custom_name, "edgetpu-custom-op") == 0;
}

/* The plan is the interpreter's own, and changes while nodes are replaced. */
static IntArray *copied_plan(Context *context) {
    IntArray *plan;
    if (context->GetExecutionPlan(context, &plan) != OK) return NULL;
    size_t size = sizeof(int) * (1 + plan->size);
    return memcpy(malloc(size), plan, size);
}

static int delegate_prepare(Context *context, Delegate *delegate) {
    const Settings *settings = delegate->data;
    if (settings->prepare) {
        context->ReportError(context, "%s", settings->prepare);
        return ERROR;
    }
    Registration kernel = {.init = kernel_init, .prepare = kernel_prepare, .invoke = kernel_invoke, .version = 1,
                           .custom_name = "EdgeTpuDelegateForCustomOp"};
    IntArray *plan = copied_plan(context), *one = malloc(2 * sizeof(int));
    int status = plan ? OK : ERROR;
    one->size = 1;
    for (int i = 0; plan && settings->claim && i < plan->size && status == OK; i++) {
        if (!is_ours(context, plan->data[i])) continue;
        one->data[0] = plan->data[i];
        status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, one, delegate);
    }
    free(one);
    free(plan);
    return status;
}

/* ---- what is plugged in ---- */

static size_t listed(Device *devices, size_t most) {
    const char *given = getenv("FAKE_EDGETPU_DEVICES");
    char *rest = strdup(given ? given : "usb=/sys/bus/usb/devices/2-1"), *each;
    size_t n = 0;
    while ((each = strsep(&rest, ";")) && n < most) {
        char *path = strchr(each, '=');
        if (path) devices[n++] = (Device){.type = strncmp(each, "usb", 3) == 0, .path = path + 1};
    }
    return n;
}

static int is_plugged(const char *place) {
    Device devices[16];
    size_t n = listed(devices, 16);
    const char *colon = strchr(place, ':');
    int any = *place == '\0' || *place == ':', usb = strncmp(place, "usb", 3) == 0;
    long wanted = colon ? atol(colon + 1) : 0;
    for (size_t i = 0; i < n; i++)
        if ((any || devices[i].type == usb) && wanted-- == 0) return 1;
    return 0;
}

EXPORT Device *edgetpu_list_devices(size_t *n) {
    Device *devices = calloc(16, sizeof *devices);
    *n = listed(devices, 16);
    return devices;
}

EXPORT void edgetpu_free_devices(Device *devices) { free(devices); }

EXPORT const char *edgetpu_version(void) {
    const char *said = text("FAKE_EDGETPU_VERSION");
    return said ? said : "BuildLabel(COMPILER=stand-in,DATE=redacted,TIME=redacted,CL_NUMBER=12345), RuntimeVersion(14)";
}

/* ---- the plug-in ---- */

/* A process opens its device once, and its delegates share it, whatever their options are (OpenDeviceInternal of
 * tflite/edgetpu_manager_direct.cc). */
static int node_descriptor = -1, node_users = 0;

static int hold(const char *node) {
    if (node_users == 0) {
        node_descriptor = open(node, O_RDWR | O_CLOEXEC);
        if (node_descriptor < 0) return 0;
        if (flock(node_descriptor, LOCK_EX | LOCK_NB) != 0) {
            close(node_descriptor);
            return 0;
        }
    }
    node_users++;
    return 1;
}

static void let_go(void) {
    if (--node_users == 0) close(node_descriptor);
}

static void note(char **keys, char **values, size_t n) {
    const char *log = getenv("FAKE_EDGETPU_LOG");
    FILE *file = log && *log ? fopen(log, "w") : NULL;
    for (size_t i = 0; file && i < n; i++) fprintf(file, "%s=%s\n", keys[i], values[i]);
    if (file) fclose(file);
}

EXPORT Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
    const char *place = "", *said = text("FAKE_EDGETPU_CREATE"), *node = text("FAKE_EDGETPU_NODE");
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], "device") == 0) place = values[i];
    note(keys, values, n);
    if (said) report(said);
    /* like the real one it gives no reason where it finds nothing to open */
    if (said || !is_plugged(place) || (node && !hold(node))) return NULL;
    Settings *settings = calloc(1, sizeof *settings);
    *settings = (Settings){.latency_us = number("FAKE_EDGETPU_LATENCY_US", 0), .holds_node = node != NULL,
                           .gone_after = number("FAKE_EDGETPU_GONE_AFTER", -1),
                           .claim = (int)number("FAKE_EDGETPU_CLAIM", 1),
                           .prepare = text("FAKE_EDGETPU_PREPARE"), .kernel = text("FAKE_EDGETPU_KERNEL")};
    Delegate *delegate = calloc(1, sizeof *delegate);
    /* flag 1 allows dynamic tensors: without it the interpreter prepares the unresolved operator first, and fails */
    *delegate = (Delegate){.data = settings, .Prepare = delegate_prepare, .flags = 1};
    return delegate;
}

EXPORT void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (!delegate) return;
    Settings *settings = delegate->data;
    if (settings->holds_node) let_go();
    free(settings);
    free(delegate);
}
