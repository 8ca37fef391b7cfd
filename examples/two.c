/// Two machines in one process, on two threads at once, and one stopped from outside.
#include "example.h"

#include <pthread.h>
#include <unistd.h>

struct job {
    const char *program;
    uint64_t limit, x0;
    bruin_vm *vm;
    struct bruin_exit x;
};

static void *work(void *arg)
{
    struct job *j = arg;
    struct bruin_error err;
    need(bruin_load_kernel(j->vm, j->program, 0x40080000, &err), &err);
    bruin_exit_on_brk(j->vm, true);
    need(bruin_set_reg(j->vm, 0, "x0", 0, &err), &err);
    need(bruin_set_reg(j->vm, 0, "x1", j->limit, &err), &err);
    need(bruin_run(j->vm, &j->x, &err), &err);
    need(bruin_get_reg(j->vm, 0, "x0", &j->x0, &err), &err);
    return NULL;
}

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct job job[3] = {{argv[1], 300000}, {argv[1], 200000}, {argv[1], ~UINT64_C(0)}};
    pthread_t t[3];
    need(argc == 2, &err);
    for (int i = 0; i < 3; i++) {
        job[i].vm = bruin_vm_create(0x40000000, 1 << 20, &err);
        need(job[i].vm, &err);
        if (pthread_create(&t[i], NULL, work, &job[i]) != 0)
            return 1;
    }
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    usleep(20000);
    bruin_stop(job[2].vm, 3);
    pthread_join(t[2], NULL);
    expect("first", job[0].x0, 300000);
    expect("second", job[1].x0, 200000);
    expect("third was stopped", job[2].x.reason == BRUIN_STOPPED, 1);
    expect("with status", (unsigned)job[2].x.status, 3);
    expect("while counting", job[2].x0 > 0, 1);
    for (int i = 0; i < 3; i++)
        bruin_vm_free(job[i].vm);
    return 0;
}
