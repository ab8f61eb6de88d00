package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"tftl/internal/quiet"
)

// crash is the command `crash HOW`. It begins like the program and then crashes in
// Go, as the program would because of a mistake of ours.
func crash() {
	quiet.Guard(crashHint(os.Args))
	switch how := os.Args[1]; how {
	case "panic":
		go panic(fmt.Errorf("no way\nout"))
	case "panics":
		for i := range 8 {
			go panic(i)
		}
	case "index":
		go fmt.Println(os.Args[len(os.Args)])
	case "pointer":
		var nowhere *struct{ name string }
		fmt.Println(nowhere.name)
	case "map":
		shared := map[int]int{}
		for range 4 {
			go func() {
				for i := 0; ; i++ {
					shared[i%100] = i
				}
			}()
		}
	case "stack":
		debug.SetMaxStack(1 << 20)
		fmt.Println(depth(0))
	case "memory":
		_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 4 << 30, Max: 4 << 30})
		var all [][]byte
		for len(all) < 1<<20 {
			all = append(all, make([]byte, 1<<28))
		}
		fmt.Println(len(all))
	default: // a signal, from another process
		if err := exec.Command("kill", "-"+how, strconv.Itoa(os.Getpid())).Run(); err != nil {
			panic(err)
		}
	}
	time.Sleep(time.Minute)
}

func depth(n int) int {
	if n == math.MaxInt {
		return 0
	}
	return 1 + depth(n+1)
}
