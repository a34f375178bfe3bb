// Forms by Go's mime/multipart: send URL WORDS (the words are those of tests/senders/senders.py).
package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// CreateFormFile takes no type; who wants one writes the head as it does.
var quoted = strings.NewReplacer("\\", "\\\\", `"`, "\\\"")

func filePart(form *multipart.Writer, name, file, declared string) (io.Writer, error) {
	if declared == "" {
		return form.CreateFormFile(name, file)
	}
	head := make(textproto.MIMEHeader)
	head.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, quoted.Replace(name), quoted.Replace(file)))
	head.Set("Content-Type", declared)
	return form.CreatePart(head)
}

func addFile(form *multipart.Writer, name, path, declared string) {
	file, err := os.Open(path)
	must(err)
	defer file.Close()
	part, err := filePart(form, name, filepath.Base(path), declared)
	must(err)
	_, err = io.Copy(part, file)
	must(err)
}

func write(form *multipart.Writer, words []string) {
	for len(words) > 0 {
		if words[0] == "field" {
			must(form.WriteField(words[1], words[2]))
			words = words[3:]
		} else {
			addFile(form, words[1], words[2], words[3])
			words = words[4:]
		}
	}
	must(form.Close())
}

// One form, written while it is sent.
func send(url string, words []string) string {
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	go func() {
		write(form, words)
		writer.Close()
	}()
	answer, err := http.Post(url, form.FormDataContentType(), reader)
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	return fmt.Sprint(answer.StatusCode, " ", strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " "))
}

func main() {
	fmt.Println("go", strings.TrimPrefix(runtime.Version(), "go"))
	url, words := os.Args[1], os.Args[2:]
	for len(words) > 0 {
		end := 2
		for end < len(words) && words[end] != "form" {
			end += map[string]int{"field": 3, "file": 4}[words[end]]
		}
		fmt.Println(words[1], send(url, words[2:end]))
		words = words[end:]
	}
}
