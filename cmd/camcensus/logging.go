package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kingpin/v2"
	zaplogfmt "github.com/jsternberg/zap-logfmt"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

// logFlags are --log.level and --log.format.
type logFlags struct{ level, format string }

func (l *logFlags) add(c *kingpin.CmdClause, level string) {
	c.Flag("log.level", "Least severity that is logged.").Default(level).EnumVar(&l.level, "debug", "info", "warn", "error")
	c.Flag("log.format", "Form of the log lines.").Default("logfmt").EnumVar(&l.format, "logfmt", "json")
}

// logger writes to w, one line an entry, whatever a device put into it.
func (l *logFlags) logger(w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(l.level)
	if err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.ISO8601TimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	enc := zapcore.NewJSONEncoder(cfg)
	if l.format == "logfmt" {
		enc = zaplogfmt.NewEncoder(cfg)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}

// slogger is the same log for libraries that speak slog.
func slogger(log *zap.Logger) *slog.Logger {
	return slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName(log.Name()), zapslog.AddStacktraceAt(slog.LevelError+100)))
}
