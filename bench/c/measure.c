/* measure OUT PROGRAM ARGUMENT…: runs PROGRAM and writes to the file OUT what it cost: user and system time of all its
 * threads and of the children that it waited for, its peak memory, the time that passed. Ends as PROGRAM did; passes
 * SIGTERM and SIGINT on. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;
static void pass_on(int number) {
  if (child > 0) kill(child, number);
}

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: measure OUT PROGRAM ARGUMENT...\n"), 2;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) {
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0)
    ;
  clock_gettime(CLOCK_MONOTONIC, &end);
  double wall = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
  FILE *out = fopen(argv[1], "w");
  if (!out) return perror(argv[1]), 1;
  fprintf(out, "{\"cpu_s\":%.6f,\"wall_s\":%.6f,\"peak_kib\":%ld}\n",
          seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime), wall, usage.ru_maxrss);
  fclose(out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
