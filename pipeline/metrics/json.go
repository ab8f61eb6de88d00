package metrics

import (
	"encoding/json"
	"math"
)

// number is a float64 that JSON may have no word for.
type number float64

// MarshalJSON writes what is not finite as null.
func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// plain and plainClass are without methods.
type (
	plain      Report
	plainClass Class
)

// document is a Report as JSON has it: the outer fields win over the embedded
// ones of the same name.
type document struct {
	Samples          int    `json:"samples"`
	Loss             number `json:"loss"`
	Kappa            number `json:"kappa"`
	ROCAUC           number `json:"roc_auc"`
	AveragePrecision number `json:"average_precision"`
	Brier            number `json:"brier"`
	ECE              number `json:"ece"`
	plain
}

// MarshalJSON writes a figure that is not finite as null.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{
		Samples: r.Samples, Loss: number(r.Loss), Kappa: number(r.Kappa), ROCAUC: number(r.ROCAUC),
		AveragePrecision: number(r.AveragePrecision), Brier: number(r.Brier), ECE: number(r.ECE), plain: plain(r),
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A figure that an older report
// lacks is NaN.
func (r *Report) UnmarshalJSON(data []byte) error {
	none := number(math.NaN())
	d := document{Loss: none, Kappa: none, ROCAUC: none, AveragePrecision: none, Brier: none, ECE: none}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*r = Report(d.plain)
	r.Samples, r.Loss, r.Kappa, r.ROCAUC = d.Samples, float64(d.Loss), float64(d.Kappa), float64(d.ROCAUC)
	r.AveragePrecision, r.Brier, r.ECE = float64(d.AveragePrecision), float64(d.Brier), float64(d.ECE)
	return nil
}

type classDocument struct {
	Name             string `json:"name"`
	Support          int    `json:"support"`
	ROCAUC           number `json:"roc_auc"`
	AveragePrecision number `json:"average_precision"`
	plainClass
}

// MarshalJSON writes a figure that is not finite as null.
func (c Class) MarshalJSON() ([]byte, error) {
	return json.Marshal(classDocument{c.Name, c.Support, number(c.ROCAUC), number(c.AveragePrecision), plainClass(c)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Class) UnmarshalJSON(data []byte) error {
	none := number(math.NaN())
	d := classDocument{ROCAUC: none, AveragePrecision: none}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	*c = Class(d.plainClass)
	c.Name, c.Support, c.ROCAUC, c.AveragePrecision = d.Name, d.Support, float64(d.ROCAUC), float64(d.AveragePrecision)
	return nil
}
