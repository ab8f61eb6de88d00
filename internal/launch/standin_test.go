package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary act as the processes of a group, and as the program that
// starts one. Such a process does what DO says, line by line.
func TestMain(m *testing.M) {
	script, ok := os.LookupEnv("DO")
	if !ok {
		os.Exit(m.Run())
	}
	for line := range strings.Lines(script) {
		verb, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := do(verb, argument); err != nil {
			fmt.Fprintln(os.Stderr, "stand-in:", err)
			os.Exit(99)
		}
	}
	os.Exit(0)
}

// do is one line of a stand-in.
func do(verb, argument string) error {
	switch verb {
	case "out":
		fmt.Println(argument)
	case "err":
		fmt.Fprintln(os.Stderr, argument)
	case "part": // of a line
		fmt.Print(argument)
	case "long": // this many bytes without the end of a line
		n, err := strconv.Atoi(argument)
		fmt.Print(strings.Repeat("x", n))
		return err
	case "exit":
		code, err := strconv.Atoi(argument)
		if err == nil {
			os.Exit(code)
		}
		return err
	case "die":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "fail": // with a code when asked to end, and write a file when that is possible
		code, file, _ := strings.Cut(argument, " ")
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		if file != "" {
			if err := do("touch", file); err != nil {
				return err
			}
		}
		<-signals
		return do("exit", code)
	case "leave": // the process group
		_, err := syscall.Setsid()
		return err
	case "touch":
		return os.WriteFile(argument, []byte("done\n"), 0o600)
	case "pid": // into a file
		return os.WriteFile(argument, []byte(strconv.Itoa(os.Getpid())), 0o600)
	case "wait": // for a file
		return until("no file "+argument, func() bool {
			text, err := os.ReadFile(argument)
			return err == nil && len(text) > 0
		})
	case "spawn": // a process that does this, with commas between
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "DO="+strings.ReplaceAll(argument, ",", "\n"))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Start()
	case "ignore": // signals from now on
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	case "forever": // but not if a test that fails leaves it behind
		time.Sleep(5 * time.Minute)
	case "catch": // signals; their names go to a file
		return catch(argument)
	case "launch": // two stand-ins that do this
		return launchTwo(argument)
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return nil
}

// until waits, but not so long that nobody would look at what is wrong.
func until(wrong string, done func() bool) error {
	for began := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return errors.New(wrong)
		}
	}
	return nil
}

// catch ends as an interrupted program does, and later than a second signal would come.
func catch(file string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := os.WriteFile(file+".ready", []byte("ready\n"), 0o600); err != nil {
		return err
	}
	var names []string
	note := func(s os.Signal) { names = append(names, s.String()) }
	note(<-signals)
	for late := time.After(echo / 2); ; {
		select {
		case s := <-signals:
			note(s)
			continue
		case <-late:
		}
		if err := os.WriteFile(file, []byte(strings.Join(names, " ")), 0o600); err != nil {
			return err
		}
		os.Exit(interrupted)
	}
}

// launchTwo is a program that launches. In what the two do, % is their number.
func launchTwo(script string) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	g := Group{Path: os.Args[0], Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals, Grace: time.Minute}
	for task := range 2 {
		do := strings.NewReplacer(";", "\n", "%", strconv.Itoa(task)).Replace(script)
		g.Env = append(g.Env, append(os.Environ(), "DO="+do))
	}
	err := g.Run()
	fmt.Println("ended with", err)
	return nil
}
