/* sqlite_ext.c: models in SQL, as an extension of SQLite.

     .load build/hosts/sqlite_ext
     select pt_model('price', 'function predict(x) return x:sum(2, true) end');
     select pt('price', rooms, area) from houses;             -- a row at a time
     select pt_all('price', rooms, area) from houses;         -- all rows as one tensor: a JSON array, for json_each

   A model is a script that defines predict(x), x (N, columns) float32 -> (N, 1). It may come out of the database, from
   whomever: it runs in PT_SANDBOX_PURE with limits of memory and time. Models belong to the connection. */
#include <ptlua.h>
#include <sqlite3ext.h>
#include <string.h>

SQLITE_EXTENSION_INIT1

/* ---- the models of a connection ---- */

typedef struct model {
  struct model *next;
  pt_vm *vm;
  pt_value *predict;
  char name[64];
} model;

typedef struct models {
  model *first;
} models;

static void free_models(void *ud) {
  models *all = ud;
  while (all->first) {
    model *m = all->first;
    all->first = m->next;
    pt_value_free(m->predict);
    pt_vm_close(m->vm);
    sqlite3_free(m);
  }
  sqlite3_free(all);
}

static model **find(models *all, const char *name) {
  model **m = &all->first;
  while (*m && strcmp((*m)->name, name) != 0) m = &(*m)->next;
  return m;
}

static void fail(sqlite3_context *c) { sqlite3_result_error(c, pt_error(), -1); }

static bool open_model(model *m, const char *source, size_t length) {
  pt_vm_config config = {.size = sizeof config,
                         .sandbox = PT_SANDBOX_PURE,
                         .memory_limit = (size_t)256 << 20,
                         .time_limit_ms = 5000,
                         .threads = 1};
  m->vm = pt_vm_open(&config);
  if (m->vm == NULL || pt_vm_run_string(m->vm, source, length, "=model") != PT_OK) return false;
  m->predict = pt_vm_get(m->vm, "predict");
  if (pt_value_type(m->predict) == PT_FUNCTION) return true;
  return pt_set_error(PT_EARG, "the model has no function predict");
}

/* pt_model(name, source): the same name again replaces the model. */
static void define(sqlite3_context *c, int argc, sqlite3_value **arg) {
  (void)argc;
  models *all = sqlite3_user_data(c);
  const char *name = (const char *)sqlite3_value_text(arg[0]),
             *source = (const char *)sqlite3_value_text(arg[1]);
  if (name == NULL || source == NULL || strlen(name) >= sizeof all->first->name)
    return sqlite3_result_error(c, "pt_model(name, source): a name of at most 63 bytes", -1);
  model *m = sqlite3_malloc(sizeof *m);
  if (m == NULL) return sqlite3_result_error_nomem(c);
  *m = (model){0};
  strcpy(m->name, name);
  if (!open_model(m, source, (size_t)sqlite3_value_bytes(arg[1]))) {
    fail(c);
    pt_value_free(m->predict);
    pt_vm_close(m->vm);
    return sqlite3_free(m);
  }
  model **place = find(all, name), *old = *place;
  m->next = old ? old->next : NULL;
  *place = m;
  if (old) {
    pt_value_free(old->predict);
    pt_vm_close(old->vm);
    sqlite3_free(old);
  }
  sqlite3_result_text(c, name, -1, SQLITE_TRANSIENT);
}

/* The model that arg[0] names; what is wrong becomes the result. */
static model *named(sqlite3_context *c, sqlite3_value **arg) {
  const char *name = (const char *)sqlite3_value_text(arg[0]);
  model *m = name ? *find(sqlite3_user_data(c), name) : NULL;
  if (m == NULL)
    sqlite3_result_error(c, "pt: no such model; define it by pt_model(name, source)", -1);
  return m;
}

/* predict of n rows over the host's memory; NULL after a failure. The caller has opened a scope. */
static pt_tensor *predict(const model *m, float *rows, int64_t n, int64_t columns) {
  pt_tensor *y = NULL, *x = pt_from_host(rows, (int64_t[]){n, columns}, 2, PT_F32, NULL, NULL);
  if (pt_value_call(m->predict, "T>T", x, &y) != PT_OK) return NULL;
  y = pt_contiguous(pt_to_dtype(pt_detach(y), PT_F64));
  if (y && pt_numel(y) == n) return y;
  if (y) pt_set_error(PT_ESHAPE, "predict(x) must return a number for each row");
  return NULL;
}

/* pt(name, number, ...) */
static void one(sqlite3_context *c, int argc, sqlite3_value **arg) {
  model *m = argc > 1 ? named(c, arg) : NULL;
  if (argc < 2) return sqlite3_result_error(c, "pt(model, number, ...)", -1);
  if (m == NULL) return;
  float row[128];
  if (argc > 128) return sqlite3_result_error(c, "pt: at most 127 numbers", -1);
  for (int i = 1; i < argc; i++) {
    if (sqlite3_value_type(arg[i]) == SQLITE_NULL) return; /* as SQL does: NULL */
    row[i - 1] = (float)sqlite3_value_double(arg[i]);
  }
  pt_scope scope = pt_scope_begin();
  pt_tensor *y = predict(m, row, 1, argc - 1);
  if (y) sqlite3_result_double(c, *(const double *)pt_data(y));
  else fail(c);
  pt_scope_end(scope);
}

/* ---- pt_all(name, number, ...) ---- */

typedef struct batch {
  model *model;
  float *row;
  sqlite3_int64 n, room;
  int columns;
} batch;

static void gather(sqlite3_context *c, int argc, sqlite3_value **arg) {
  batch *b = sqlite3_aggregate_context(c, sizeof *b);
  if (b == NULL) return sqlite3_result_error_nomem(c);
  if (argc < 2) return sqlite3_result_error(c, "pt_all(model, number, ...)", -1);
  if (b->model == NULL && (b->model = named(c, arg)) == NULL) return;
  b->columns = argc - 1;
  if ((b->n + 1) * b->columns > b->room) {
    sqlite3_int64 room = 2 * b->room + 64 * b->columns;
    float *more = sqlite3_realloc64(b->row, (sqlite3_uint64)room * sizeof *more);
    if (more == NULL) return sqlite3_result_error_nomem(c);
    b->row = more;
    b->room = room;
  }
  for (int i = 0; i < b->columns; i++)
    b->row[b->n * b->columns + i] = (float)sqlite3_value_double(arg[i + 1]);
  b->n++;
}

static void finish(sqlite3_context *c) {
  batch *b = sqlite3_aggregate_context(c, 0);
  if (b == NULL) return sqlite3_result_text(c, "[]", -1, SQLITE_STATIC);
  pt_scope scope = pt_scope_begin();
  pt_tensor *y = b->model ? predict(b->model, b->row, b->n, b->columns) : NULL;
  if (y) {
    sqlite3_str *text = sqlite3_str_new(sqlite3_context_db_handle(c));
    const double *value = pt_data(y);
    for (sqlite3_int64 i = 0; i < b->n; i++)
      sqlite3_str_appendf(text, "%c%!.9g", i ? ',' : '[', value[i]);
    sqlite3_str_appendchar(text, 1, ']');
    char *all = sqlite3_str_finish(text);
    if (all) sqlite3_result_text(c, all, -1, sqlite3_free);
    else sqlite3_result_error_nomem(c);
  } else if (b->model) {
    fail(c);
  }
  pt_scope_end(scope);
  sqlite3_free(b->row);
}

/* SQLite finds it by the file's name. */
__attribute__((visibility("default"))) int sqlite3_sqliteext_init(sqlite3 *db, char **error,
                                                                  const sqlite3_api_routines *api) {
  (void)error;
  SQLITE_EXTENSION_INIT2(api);
  models *all = sqlite3_malloc(sizeof *all);
  if (all == NULL) return SQLITE_NOMEM;
  all->first = NULL;
  /* From triggers and views of a stranger's database nothing is run (DIRECTONLY). */
  int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
  int code =
      sqlite3_create_function_v2(db, "pt_model", 2, flags, all, define, NULL, NULL, free_models);
  if (code == SQLITE_OK) code = sqlite3_create_function(db, "pt", -1, flags, all, one, NULL, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_create_function(db, "pt_all", -1, flags, all, NULL, gather, finish);
  return code;
}
