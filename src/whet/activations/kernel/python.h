/* What makes a C function callable from Python: it takes whole numbers, of which some are addresses, and gives None. A call
   costs 0.17 us, by ctypes 0.5 to 1.3 us (as measured in place), which is as much as a loop over 4,096 numbers.

   Python's own header need not be there: all that is used belongs to its stable ABI (PEP 384, Python 3.10). */

typedef struct object PyObject;
typedef struct { const char *name; void *function; int flags; const char *doc; } PyMethodDef;
long long PyLong_AsLongLong(PyObject *);
PyObject *PyCFunction_NewEx(PyMethodDef *, PyObject *, PyObject *);
void *PyEval_SaveThread(void);
void PyEval_RestoreThread(void *);
PyObject *Py_BuildValue(const char *, ...);

#define METH_FASTCALL 0x80
#define N(i) numbers[i]
#define AT(i) (void *)numbers[i]

/* NAME_function() gives what Python calls; it lets other threads run meanwhile. */
#define CALLABLE(name, ...)                                                                   \
    static PyObject *name##_called(PyObject *self, PyObject *const *given, intptr_t count)    \
    {                                                                                         \
        int64_t numbers[count];                                                               \
        for (intptr_t i = 0; i < count; i++) numbers[i] = PyLong_AsLongLong(given[i]);        \
        void *thread = PyEval_SaveThread();                                                   \
        name(__VA_ARGS__);                                                                    \
        PyEval_RestoreThread(thread);                                                         \
        return Py_BuildValue("");                                                             \
    }                                                                                         \
    PyObject *name##_function(void)                                                           \
    {                                                                                         \
        static PyMethodDef definition = {#name, name##_called, METH_FASTCALL, 0};             \
        return PyCFunction_NewEx(&definition, 0, 0);                                          \
    }
