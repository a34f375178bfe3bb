// Uploads as Go's net/http takes them: put -folder FOLDER [-durable]
// PUT /files/... stores the body, POST /upload each file of a form; both are staged, and renamed when they are whole.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

var (
	folder  = flag.String("folder", "", "where files are stored")
	durable = flag.Bool("durable", false, "sync each file and its folder")
	forms   atomic.Uint64 // names of their files
)

func store(name string, body io.Reader) (err error) {
	file, err := os.CreateTemp(*folder, ".staged-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = io.Copy(file, body)
	if err == nil && *durable {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err = os.Rename(file.Name(), filepath.Join(*folder, name)); err != nil || !*durable {
		return err
	}
	parent, err := os.Open(*folder)
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

func put(w http.ResponseWriter, r *http.Request) {
	if err := store(path.Base(r.URL.Path), r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func post(w http.ResponseWriter, r *http.Request) {
	form, err := r.MultipartReader()
	for err == nil {
		var part, partError = form.NextPart()
		if partError == io.EOF {
			w.WriteHeader(http.StatusCreated)
			return
		}
		if err = partError; err == nil && part.FileName() != "" {
			err = store(fmt.Sprintf("form-%d", forms.Add(1)), part)
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

func main() {
	flag.Parse()
	http.HandleFunc("/files/", put)
	http.HandleFunc("/upload", post)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
