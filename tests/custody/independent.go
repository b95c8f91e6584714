// A verifier of custody logs that shares no code with Schleuse: Go's
// cryptography, and the notes and trees of golang.org/x/mod/sumdb, which check
// the transparency log of Go's modules. It exits 0 if everything holds, and 1
// with the reason if anything does not.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// --- keys and checkpoints ----------------------------------------------------

type key struct {
	gateway string
	kind    byte
	bytes   []byte
}

func readKeys(path string) ([]key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys []key
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		parts := strings.SplitN(line, "+", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("%s: no verifier key: %q", path, line)
		}
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || len(raw) < 2 {
			return nil, fmt.Errorf("%s: no verifier key: %q", path, line)
		}
		keys = append(keys, key{parts[0], raw[0], raw[1:]})
	}
	if len(keys) != 2 {
		return nil, fmt.Errorf("%s: %d keys instead of 2", path, len(keys))
	}
	return keys, nil
}

// ECDSA P-256 over SHA-256, as Certificate Transparency's logs sign.
type ecdsaVerifier struct {
	name string
	id   uint32
	key  *ecdsa.PublicKey
}

func (v ecdsaVerifier) Name() string    { return v.name }
func (v ecdsaVerifier) KeyHash() uint32 { return v.id }
func (v ecdsaVerifier) Verify(msg, sig []byte) bool {
	hash := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(v.key, hash[:], sig)
}

func (k key) verifier(origin string) (note.Verifier, error) {
	switch k.kind {
	case 1:
		input := append([]byte(origin+"\n\x01"), k.bytes...)
		id := sha256.Sum256(input)
		return note.NewVerifier(fmt.Sprintf("%s+%08x+%s", origin,
			binary.BigEndian.Uint32(id[:]),
			base64.StdEncoding.EncodeToString(append([]byte{1}, k.bytes...))))
	case 2:
		parsed, err := x509.ParsePKIXPublicKey(k.bytes)
		if err != nil {
			return nil, err
		}
		public, ok := parsed.(*ecdsa.PublicKey)
		if !ok {
			return nil, errors.New("a key of type 2 is not ECDSA")
		}
		id := sha256.Sum256(k.bytes)
		return ecdsaVerifier{origin, binary.BigEndian.Uint32(id[:]), public}, nil
	}
	return nil, fmt.Errorf("a key of unknown type %d", k.kind)
}

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

func openCheckpoint(signed []byte, keys []key) (*checkpoint, error) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	if !strings.HasPrefix(origin, keys[0].gateway+"/custody/") {
		return nil, fmt.Errorf("the origin %q is not one of %s", origin, keys[0].gateway)
	}
	var verifiers []note.Verifier
	for _, k := range keys {
		v, err := k.verifier(origin)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return nil, err
	}
	if len(opened.Sigs) != len(keys) {
		return nil, fmt.Errorf("signed by %d keys of %d", len(opened.Sigs), len(keys))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, fmt.Errorf("a checkpoint of %d lines", len(lines)-1)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return nil, fmt.Errorf("a checkpoint of size %q", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return nil, fmt.Errorf("a checkpoint of root %q", lines[2])
	}
	c := &checkpoint{origin: origin, tree: tlog.Tree{N: size}}
	copy(c.tree.Hash[:], root)
	return c, nil
}

// --- one log -----------------------------------------------------------------

const height = 8

// "tile/8/0/x001/234.p/5" of sumdb is "tile/0/x001/234.p/5" of C2SP.
func tilePath(t tlog.Tile) string {
	return strings.Replace(t.Path(), "tile/8/", "tile/", 1)
}

type tiles struct{ directory string }

func (r tiles) Height() int { return height }
func (r tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range wanted {
		data, err := os.ReadFile(filepath.Join(r.directory, tilePath(t)))
		if err != nil {
			return nil, err
		}
		if len(data) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(t), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}
func (r tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func readEntries(directory string, size int64) ([][]byte, error) {
	var entries [][]byte
	for n := int64(0); n<<height < size; n++ {
		width := size - n<<height
		if width > 1<<height {
			width = 1 << height
		}
		t := tlog.Tile{H: height, L: -1, N: n, W: int(width)}
		path := strings.Replace(t.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(directory, path))
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			if len(data) < 2 {
				return nil, fmt.Errorf("%s ends early", path)
			}
			length := int(binary.BigEndian.Uint16(data))
			if len(data) < 2+length {
				return nil, fmt.Errorf("%s ends early", path)
			}
			entries = append(entries, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s has bytes behind its last entry", path)
		}
	}
	return entries, nil
}

type statement struct {
	Gateway  string `json:"gateway"`
	LogBegun *struct {
		Origin             string `json:"origin"`
		PreviousCheckpoint string `json:"previous_checkpoint"`
	} `json:"log_begun"`
	LogClosed *struct {
		NextOrigin string `json:"next_origin"`
	} `json:"log_closed"`
	LogDeleted *struct {
		Origin  string `json:"origin"`
		Entries string `json:"entries"`
	} `json:"log_deleted"`
	Stored *struct {
		Transfer struct {
			CameraID    string `json:"camera_id"`
			RecordingID string `json:"recording_id"`
		} `json:"transfer"`
		Size     string `json:"size"` // 64 bits: text in proto3's JSON
		SHA256   string `json:"sha256"`
		Location string `json:"location"`
	} `json:"stored"`
}

type log struct {
	*checkpoint
	directory  string
	hashes     tlog.HashReader // authenticated by the checkpoint
	entries    [][]byte        // none if they were deleted
	statements []statement
}

// The hashes of the entries, or of what the lowest tiles say where the entries
// were deleted.
func (l *log) leaves() ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	if l.entries != nil {
		for _, entry := range l.entries {
			leaves = append(leaves, tlog.RecordHash(entry))
		}
		return leaves, nil
	}
	for n := int64(0); n<<height < l.tree.N; n++ {
		width := l.tree.N - n<<height
		if width > 1<<height {
			width = 1 << height
		}
		data, err := tiles{l.directory}.ReadTiles([]tlog.Tile{{H: height, L: 0, N: n, W: int(width)}})
		if err != nil {
			return nil, err
		}
		for i := int64(0); i < width; i++ {
			var leaf tlog.Hash
			copy(leaf[:], data[0][i*tlog.HashSize:])
			leaves = append(leaves, leaf)
		}
	}
	return leaves, nil
}

func readLog(directory string, keys []key) (*log, error) {
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return nil, err
	}
	c, err := openCheckpoint(signed, keys)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	l := &log{checkpoint: c, directory: directory}
	l.hashes = tlog.TileHashReader(c.tree, tiles{directory})
	if _, err := os.Stat(filepath.Join(directory, "tile/entries")); !os.IsNotExist(err) {
		if l.entries, err = readEntries(directory, c.tree.N); err != nil {
			return nil, err
		}
	}
	leaves, err := l.leaves()
	if err != nil {
		return nil, err
	}
	// The root, out of the leaves alone ...
	var own []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			found = append(found, own[i])
		}
		return found, nil
	})
	for i, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, reader)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
	}
	root, err := tlog.TreeHash(c.tree.N, reader)
	if err != nil {
		return nil, err
	}
	if root != c.tree.Hash {
		return nil, errors.New("the leaves do not lead to the checkpoint's root")
	}
	// ... and the same out of the tiles, all of them.
	var indexes []int64
	for i := range own {
		indexes = append(indexes, int64(i))
	}
	published, err := l.hashes.ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	for i := range own {
		if own[i] != published[i] {
			return nil, fmt.Errorf("hash %d of the tiles is not that of the leaves", i)
		}
	}
	for i, entry := range l.entries {
		var s statement
		if err := json.Unmarshal(entry, &s); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if s.Gateway != keys[0].gateway {
			return nil, fmt.Errorf("entry %d is by %q", i, s.Gateway)
		}
		l.statements = append(l.statements, s)
	}
	return l, nil
}

// --- the years, kept checkpoints, bundles ------------------------------------

func checkChain(logs []*log, keys []key) error {
	deleted := map[string]string{}
	for _, l := range logs {
		for _, s := range l.statements {
			if s.LogDeleted != nil {
				deleted[s.LogDeleted.Origin] = s.LogDeleted.Entries
			}
		}
	}
	for i, l := range logs {
		if l.entries == nil {
			if deleted[l.origin] != strconv.FormatInt(l.tree.N, 10) {
				return fmt.Errorf("nobody states that %s was deleted", l.origin)
			}
			continue
		}
		if len(l.statements) == 0 || l.statements[0].LogBegun == nil {
			return fmt.Errorf("%s does not begin with log_begun", l.origin)
		}
		begun := l.statements[0].LogBegun
		if begun.Origin != l.origin {
			return fmt.Errorf("%s begins as %s", l.origin, begun.Origin)
		}
		if i == 0 {
			continue
		}
		before, err := openCheckpoint([]byte(begun.PreviousCheckpoint), keys)
		if err != nil {
			return fmt.Errorf("%s: previous checkpoint: %w", l.origin, err)
		}
		last := logs[i-1]
		if before.origin != last.origin || before.tree != last.tree {
			return fmt.Errorf("%s does not follow %s", l.origin, last.origin)
		}
		if last.entries == nil {
			continue
		}
		closed := last.statements[len(last.statements)-1].LogClosed
		if closed == nil || closed.NextOrigin != l.origin {
			return fmt.Errorf("%s was not closed for %s", last.origin, l.origin)
		}
	}
	return nil
}

func checkKept(logs []*log, path string, keys []key) error {
	signed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old, err := openCheckpoint(signed, keys)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, l := range logs {
		if l.origin != old.origin {
			continue
		}
		if l.tree.N < old.tree.N {
			return fmt.Errorf("%d entries, %d were known", l.tree.N, old.tree.N)
		}
		proof, err := tlog.ProveTree(l.tree.N, old.tree.N, l.hashes)
		if err != nil {
			return err
		}
		return tlog.CheckTree(proof, l.tree.N, l.tree.Hash, old.tree.N, old.tree.Hash)
	}
	return fmt.Errorf("%s: its log is not there", path)
}

func checkReceipt(text, entry []byte, keys []key) error {
	head, signed, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no receipt")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	c, err := openCheckpoint(signed, keys)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, c.tree.N, c.tree.Hash, index, tlog.RecordHash(entry))
}

func checkBundles(logs []*log, store string, keys []key) (int, error) {
	count := 0
	for _, l := range logs {
		for i, s := range l.statements {
			if s.Stored == nil {
				continue
			}
			footage := filepath.Join(store, s.Stored.Location)
			data, err := os.ReadFile(footage)
			if err != nil {
				return count, err
			}
			if fmt.Sprintf("%x", sha256.Sum256(data)) != s.Stored.SHA256 ||
				strconv.Itoa(len(data)) != s.Stored.Size {
				return count, fmt.Errorf("%s is not what was stored", footage)
			}
			bundle := filepath.Dir(footage)
			said, err := os.ReadFile(filepath.Join(bundle, "statement.json"))
			if err != nil {
				return count, err
			}
			if !bytes.Equal(said, l.entries[i]) {
				return count, fmt.Errorf("%s has another statement than the log", bundle)
			}
			receipt, err := os.ReadFile(filepath.Join(bundle, "receipt.tlog-proof"))
			if err != nil {
				return count, err
			}
			if err := checkReceipt(receipt, said, keys); err != nil {
				return count, fmt.Errorf("%s: %w", bundle, err)
			}
			count++
		}
	}
	return count, nil
}

func run(custody, keyFile, store, kept string) error {
	keys, err := readKeys(keyFile)
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(custody, "*", "checkpoint"))
	if err != nil {
		return err
	}
	sort.Strings(found)
	var logs []*log
	entries := 0
	for _, path := range found {
		l, err := readLog(filepath.Dir(path), keys)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Dir(path), err)
		}
		entries += len(l.entries)
		logs = append(logs, l)
	}
	if len(logs) == 0 {
		return fmt.Errorf("no log in %s", custody)
	}
	if err := checkChain(logs, keys); err != nil {
		return err
	}
	if kept != "" {
		if err := checkKept(logs, kept, keys); err != nil {
			return err
		}
	}
	bundles := 0
	if store != "" {
		if bundles, err = checkBundles(logs, store, keys); err != nil {
			return err
		}
	}
	fmt.Printf("holds: %d logs, %d entries, %d bundles\n", len(logs), entries, bundles)
	return nil
}

func main() {
	custody := flag.String("custody", "", "directory of the logs")
	keys := flag.String("keys", "", "file of verifier keys")
	store := flag.String("store", "", "directory of the bundles, if they are checked too")
	kept := flag.String("kept", "", "a checkpoint that was kept elsewhere")
	flag.Parse()
	if err := run(*custody, *keys, *store, *kept); err != nil {
		fmt.Println("does not hold:", err)
		os.Exit(1)
	}
}
