/* game.c: a game at 60 frames a second whose player learns while it plays. Balls fall, a paddle is to catch them; the
   agent is a script that is trained within 2 ms of each frame (pt_vm_step), and asked for a move once a frame.

   usage: game [--frames N]     without N: until Ctrl-C, in the terminal; with it: so many frames at once, then a summary */
#define _POSIX_C_SOURCE 200809L
#include <ptlua.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 15, HEIGHT = 12, BUDGET_US = 2000, RECENT = 40 };

/* Q-learning on games of its own, one ball at a time. Both sides know the rules: left, stay, right; a ball falls by one
   row with each move. state: the paddle's place, the ball's column and row, each from -1 to 1. */
static const char agent[] =
    "local nn, optim = pt.nn, pt.optim\n"
    "pt.manual_seed(3) math.randomseed(3)\n"
    "local W, H = WIDTH, HEIGHT\n"
    "local net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))\n"
    "local optimizer = optim.Adam(net:parameters(), { lr = 3e-3 })\n"
    "local function features(paddle, x, y)\n"
    "  return { 2 * paddle / W - 1, 2 * x / W - 1, 2 * y / H - 1, (x - paddle) / 4 }\n"
    "end\n"
    "local function best(s) return pt.no_grad(function() return net(pt.tensor { s }):argmax(2):item() end) end\n"
    "function act(paddle, x, y) return best(features(paddle, x, y)) - 2 end\n"
    "games = 0\n"
    "function train()\n"
    "  while true do\n"
    "    local states, moves, after, reward, alive = {}, {}, {}, {}, {}\n"
    "    for _ = 1, 4 do\n"
    "      local paddle, x, start = math.random(W), math.random(W), games\n"
    "      for y = 1, H - 1 do\n"
    "        local s = features(paddle, x, y)\n"
    "        local a = math.random() < 0.3 + 0.7 / (1 + start / 200) and math.random(3) or best(s)\n"
    "        paddle = math.min(W, math.max(1, paddle + a - 2))\n"
    "        local last = y == H - 1\n"
    "        states[#states + 1], moves[#moves + 1] = s, { a }\n"
    "        after[#after + 1] = features(paddle, x, y + 1)\n"
    "        reward[#reward + 1] = { last and (math.abs(paddle - x) <= 1 and 1. or -1.) or 0. }\n"
    "        alive[#alive + 1] = { last and 0. or 1. }\n"
    "      end\n"
    "      games = games + 1\n"
    "    end\n"
    "    local want = pt.no_grad(function()\n"
    "      return pt.tensor(reward) + 0.97 * pt.tensor(alive) * net(pt.tensor(after)):amax({ 2 }, true)\n"
    "    end)\n"
    "    local value = net(pt.tensor(states)):gather(2, pt.tensor(moves))\n"
    "    optimizer:zero_grad()\n"
    "    nn.functional.mse_loss(value, want):backward()\n"
    "    optimizer:step()\n"
    "  end\n"
    "end\n";

typedef struct world {
  int64_t paddle, x, y; /* from 1 */
  int balls, caught, recent[RECENT];
} world;

static volatile sig_atomic_t stopping;
static void on_signal(int number) {
  (void)number;
  stopping = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void drop_ball(world *w) {
  w->x = 1 + rand() % WIDTH;
  w->y = 1;
}

static void play(world *w, int64_t move) {
  w->paddle += move;
  w->paddle = w->paddle < 1 ? 1 : w->paddle > WIDTH ? WIDTH : w->paddle;
  if (++w->y < HEIGHT) return;
  bool caught = llabs(w->x - w->paddle) <= 1;
  w->recent[w->balls++ % RECENT] = caught;
  w->caught += caught;
  drop_ball(w);
}

static int caught_of_late(const world *w) {
  int n = w->balls < RECENT ? w->balls : RECENT, sum = 0;
  for (int i = 0; i < n; i++) sum += w->recent[i];
  return n ? 100 * sum / n : 0;
}

static void draw(const world *w, double step_ms) {
  printf("\033[H");
  for (int64_t y = 1; y <= HEIGHT; y++) {
    for (int64_t x = 1; x <= WIDTH; x++) {
      bool paddle = y == HEIGHT && llabs(x - w->paddle) <= 1;
      fputs(paddle ? "==" : x == w->x && y == w->y ? "()" : " .", stdout);
    }
    puts("\033[K");
  }
  printf("%d balls, %d %% of the last %d caught; trained for %.2f ms\033[K\n", w->balls,
         caught_of_late(w), RECENT, 1e3 * step_ms);
  fflush(stdout);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int fail(pt_vm *vm) {
  fprintf(stderr, "game: %s\n%s\n", pt_vm_error(vm), pt_vm_traceback(vm));
  pt_vm_close(vm);
  return 1;
}

/* Frames of 1/60 s: the world moves every second frame, what is left of a frame is slept. */
static int run(pt_vm *vm, int frames, double *took) {
  world w = {.paddle = WIDTH / 2};
  int early = 0;
  pt_value *act = pt_vm_get(vm, "act");
  drop_ball(&w);
  double next = now();
  if (frames == 0) printf("\033[2J");
  for (int i = 0; !stopping && (frames == 0 || i < frames); i++) {
    double start = now();
    if (pt_vm_step(vm, BUDGET_US) != 1) return fail(vm);
    double spent = now() - start;
    if (frames) took[i] = spent;
    int64_t move = 0;
    if (i % 2 == 0 || frames) {
      if (pt_value_call(act, "iii>i", w.paddle, w.x, w.y, &move) != PT_OK) return fail(vm);
      play(&w, move);
    }
    if (frames && i == frames / 8) early = caught_of_late(&w);
    if (frames) continue;
    draw(&w, spent);
    next += 1.0 / 60;
    double rest = next - now();
    if (rest > 0) nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * rest)}, NULL);
  }
  pt_value_free(act);
  if (frames) {
    qsort(took, (size_t)frames, sizeof *took, by_size);
    printf("%d frames, %d balls; caught %d %% early, %d %% at the end\n", frames, w.balls, early,
           caught_of_late(&w));
    printf("a step of %d us took %.3f ms at 99 %%, %.3f at most\n", BUDGET_US,
           1e3 * took[(int)(0.99 * frames)], 1e3 * took[frames - 1]);
  }
  return 0;
}

int main(int argc, char **argv) {
  int frames = argc == 3 && strcmp(argv[1], "--frames") == 0 ? atoi(argv[2]) : 0;
  if (argc != 1 && frames <= 0) return fprintf(stderr, "usage: game [--frames N]\n"), 2;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  pt_vm_config config = {.size = sizeof config, .threads = 1};
  pt_vm *vm = pt_vm_open(&config);
  double *took = calloc((size_t)frames + 1, sizeof *took);
  if (vm == NULL || took == NULL) return 1;
  if (pt_vm_set(vm, "WIDTH", "i", (int64_t)WIDTH) ||
      pt_vm_set(vm, "HEIGHT", "i", (int64_t)HEIGHT) ||
      pt_vm_run_string(vm, agent, strlen(agent), "=agent") || pt_vm_start(vm, "train", ""))
    return fail(vm);
  int code = run(vm, frames, took);
  free(took);
  if (code == 0) pt_vm_close(vm);
  return code;
}
