package exporter

import (
	"encoding/json"
	"errors"
	"net/http"
)

// fault is the shape of every error, DESIGN section 8.
type fault struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func fail(w http.ResponseWriter, status int, code, message string) {
	var f fault
	f.Error.Code, f.Error.Message = code, printable(message, 1000)
	answer(w, status, f)
}

// failWith answers an agent's error by its sentinel.
func failWith(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		fail(w, http.StatusNotFound, "not_found", err.Error())
	case errors.Is(err, ErrInvalid):
		fail(w, http.StatusBadRequest, "invalid", err.Error())
	case errors.Is(err, ErrConflict):
		fail(w, http.StatusConflict, "conflict", err.Error())
	case errors.Is(err, ErrUnable):
		fail(w, http.StatusServiceUnavailable, "unable", err.Error())
	default:
		fail(w, http.StatusInternalServerError, "internal", err.Error())
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		http.Error(w, `{"error":{"code":"internal","message":"the answer could not be encoded"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // the client is gone: nobody is left to tell
}
