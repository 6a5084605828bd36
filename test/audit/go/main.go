// Command audit-oracle reads checkpoints and proofs of claviger's audit log with Go's own packages for
// transparency logs, and says for each of them if it is good.
//
// Usage: audit-oracle FOLDER, which has:
//
//	key         the verifier's key of signed notes
//	earlier     an earlier checkpoint
//	checkpoint  the newest checkpoint
//	line        a line of the log
//	inclusion   the number of this line, and the hashes of its proof in base64, one a line
//	consistency the hashes of the proof between both checkpoints
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// read returns a file of the folder.
func read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(os.Args[1], name))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return data
}

// text returns "good" for no error.
func text(err error) string {
	if err == nil {
		return "good"
	}
	return err.Error()
}

// tree verifies the signature of a checkpoint and reads it.
func tree(name string, verifiers note.Verifiers) (tlog.Tree, error) {
	opened, err := note.Open(read(name), verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, fmt.Errorf("the checkpoint has %d lines", len(lines))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// hashes reads hashes in base64, one a line.
func hashes(lines []string) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, line := range lines {
		if line == "" {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return nil, fmt.Errorf("no hash: %q", line)
		}
		list = append(list, tlog.Hash(data))
	}
	return list, nil
}

func main() {
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read("key"))))
	answer := map[string]string{"key": text(err)}
	if err == nil {
		verifiers := note.VerifierList(verifier)
		earlier, err := tree("earlier", verifiers)
		answer["earlier"] = text(err)
		newest, err := tree("checkpoint", verifiers)
		answer["checkpoint"] = text(err)
		number, rest, _ := strings.Cut(string(read("inclusion")), "\n")
		index, err := strconv.ParseInt(number, 10, 64)
		if err == nil {
			var proof []tlog.Hash
			if proof, err = hashes(strings.Split(rest, "\n")); err == nil {
				err = tlog.CheckRecord(proof, newest.N, newest.Hash, index, tlog.RecordHash(read("line")))
			}
		}
		answer["inclusion"] = text(err)
		proof, err := hashes(strings.Split(string(read("consistency")), "\n"))
		if err == nil {
			err = tlog.CheckTree(proof, newest.N, newest.Hash, earlier.N, earlier.Hash)
		}
		answer["consistency"] = text(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer)
}
